import Routing

/// The route of a stream: indices into the table of the generation that the stream pins.
struct RouteChoice {
  var table: UnsafeMutablePointer<RouteTableConfig>?
  var entry: UnsafePointer<RouteEntry>?
  var outcome = RouteMatch.Outcome.noVirtualHost
  var virtualHost: Int32 = -1
  var index: Int32 = -1
  /// The request's virtual cluster, or -1.
  var virtualCluster: Int32 = -1
  /// The cluster of a weighted route, or -1.
  var weighted: Int32 = -1
  /// Where the stream's filters begin among those that the table knows.
  var filterBase = 0
  /// Filters that the route switches off, by their place in the chain.
  var disabledFilters: UInt64 = 0
  /// 0 = none.
  var timeoutNanoseconds: UInt64 = 0
  /// The caller has set it.
  var isTimeoutAsked = false
  /// What the request's hash has made, for the response to set.
  var cookies: UnsafePointer<NewCookie>?

  static let defaultTimeoutNanoseconds: UInt64 = 15_000_000_000

  var bufferLimitBytes: Int? {
    guard let limit = entry?.pointee.requestBodyBufferLimitBytes else { return nil }
    return Int(clamping: limit)
  }

  var isHighPriority: Bool { entry.map { $0.pointee.priority == .high } ?? false }

  var clusterNotFoundCode: UInt16 { entry?.pointee.clusterNotFoundStatus ?? 503 }

  /// The most specific settings of the filter at `place` in the chain.
  func filterConfig(_ place: Int) -> AnyObject? {
    filterConfigReference(place)?.takeUnretainedValue()
  }

  func filterConfigReference(_ place: Int) -> Unmanaged<AnyObject>? {
    let place = place &+ filterBase
    guard let table, entry != nil, place < table.pointee.filterNumbers.buffer.count else {
      return nil
    }
    let number = table.pointee.filterNumbers.buffer[place]
    guard number != RouteTableConfig.none,
      let slot = table.pointee.lookup.filterConfig(
        route: index, weightedCluster: weighted, filter: number)
    else { return nil }
    return table.pointee.filterConfigs.buffer[Int(slot)]
  }

  @inline(__always)
  func isDisabled(_ place: Int) -> Bool {
    disabledFilters != 0 && place < 64 && disabledFilters >> UInt64(place) & 1 == 1
  }
}
