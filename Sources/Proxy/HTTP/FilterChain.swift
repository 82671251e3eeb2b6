/// The filters of one connection manager, compiled: for each event whether anybody wants it.
public struct FilterChain {
  /// What workers read: trivial, so that reading it counts no references.
  struct View: BitwiseCopyable {
    /// In the order of the configuration, the router left out.
    let filters: UnsafeMutableBufferPointer<Unmanaged<HTTPFilter>>
    let decodesHeaders, decodesData, decodesTrailers, encodesHeaders, encodesData,
      encodesTrailers, watchesEnd: Bool

    var count: Int { filters.count }
  }

  /// Lives as long as any copy of the chain.
  let view: UnsafePointer<View>
  private let viewOwner: Frozen<View>
  private let list: FrozenList<Unmanaged<HTTPFilter>>
  private let owners: [HTTPFilter]

  /// Each filter of a stream has a bit of a word.
  public static let countMax = 64

  /// - Parameter filters: At most ``countMax``.
  public init(_ filters: [HTTPFilter]) {
    precondition(filters.count <= Self.countMax, "more filters than a chain can have")
    owners = filters
    list = FrozenList(filters.map { Unmanaged.passUnretained($0) })
    func any(_ interest: HTTPFilter.Interests) -> Bool {
      filters.contains { $0.interests.contains(interest) }
    }
    let view = View(
      filters: list.buffer, decodesHeaders: any(.decodeHeaders), decodesData: any(.decodeData),
      decodesTrailers: any(.decodeTrailers), encodesHeaders: any(.encodeHeaders),
      encodesData: any(.encodeData), encodesTrailers: any(.encodeTrailers),
      watchesEnd: any(.streamEnded))
    viewOwner = Frozen(view)
    self.view = UnsafePointer(viewOwner.pointer)
  }

  public var names: [String] { owners.map(\.name) }
}
