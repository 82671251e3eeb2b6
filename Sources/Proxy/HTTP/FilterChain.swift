/// The filters of one connection manager, compiled: for each event the list of those that want it.
public struct FilterChain {
  /// In the order of the configuration, the router left out.
  let filters: FrozenList<Unmanaged<HTTPFilter>>
  private let owners: [HTTPFilter]
  let decodesHeaders, decodesData, decodesTrailers, encodesHeaders, encodesData, encodesTrailers,
    watchesEnd: Bool

  public init(_ filters: [HTTPFilter]) {
    owners = filters
    self.filters = FrozenList(filters.map { Unmanaged.passUnretained($0) })
    func any(_ interest: HTTPFilter.Interests) -> Bool {
      filters.contains { $0.interests.contains(interest) }
    }
    decodesHeaders = any(.decodeHeaders)
    decodesData = any(.decodeData)
    decodesTrailers = any(.decodeTrailers)
    encodesHeaders = any(.encodeHeaders)
    encodesData = any(.encodeData)
    encodesTrailers = any(.encodeTrailers)
    watchesEnd = any(.streamEnded)
  }

  @inline(__always)
  var isEmpty: Bool { filters.buffer.isEmpty }
  var count: Int { filters.buffer.count }
  public var names: [String] { owners.map(\.name) }
}
