/// The filters of one connection manager, compiled: for each event whether anybody wants it.
public struct FilterChain {
  /// What workers read: trivial, so that reading it counts no references.
  struct View: BitwiseCopyable {
    /// In the order of the configuration, the router left out.
    let filters: UnsafeMutableBufferPointer<Unmanaged<HTTPFilter>>
    /// Those that are switched off where no route says otherwise, by their place.
    let disabled: UInt64
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

  /// - Parameters:
  ///   - filters: At most ``countMax``.
  ///   - disabled: Places of those that are switched off where no route says otherwise.
  public init(_ filters: [HTTPFilter], disabled: [Int] = []) {
    precondition(filters.count <= Self.countMax, "more filters than a chain can have")
    owners = filters
    list = FrozenList(filters.map { Unmanaged.passUnretained($0) })
    func any(_ interest: HTTPFilter.Interests) -> Bool {
      filters.contains { $0.interests.contains(interest) }
    }
    let view = View(
      filters: list.buffer, disabled: disabled.reduce(0) { $0 | 1 << UInt64($1) },
      decodesHeaders: any(.decodeHeaders), decodesData: any(.decodeData),
      decodesTrailers: any(.decodeTrailers), encodesHeaders: any(.encodeHeaders),
      encodesData: any(.encodeData), encodesTrailers: any(.encodeTrailers),
      watchesEnd: any(.streamEnded))
    viewOwner = Frozen(view)
    self.view = UnsafePointer(viewOwner.pointer)
  }

  /// In the order of the configuration, the router left out.
  public var all: [HTTPFilter] { owners }

  /// Whether the filter at `place` is switched off where no route says otherwise.
  public func isDisabled(_ place: Int) -> Bool { place < Self.countMax && view.pointee.disabled >> UInt64(place) & 1 == 1 }
}
