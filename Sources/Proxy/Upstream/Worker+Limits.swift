import Primitives
import Reactor
import Stats

/// Units of a cluster's limits that belong to connections and pools.
extension Worker {
  // MARK: Connections

  /// Takes a unit of the cluster's `max_connections`, and one of the host's where it has a limit of its own; a pool, or a
  /// host for sessions alone, may have one connection whatever the limit, so that none starves.
  /// ``connect(_:_:role:isHigh:)`` must follow.
  func reserveConnection(_ host: HostRef, _ pool: PoolRef?, isHigh: Bool) -> Bool {
    let config = host.pointee.cluster.pointee.pointer
    let breakers = BreakerReference(config: config, isHigh: isHigh)
    let shared = host.pointee.pointer.pointee.shared
    if breakers.reserveConnection() {
      guard let shared else { return true }
      if shared._withUnsafeGuaranteedRef({ $0.connections.reserve(limit: breakers.hostConnectionsMax) }) { return true }
      breakers.releaseConnection()
      breakers.note(.hostConnections)
    }
    slab.increment(config.pointee.stats.cxOverflow)
    guard (pool?.pointee.connectionCount ?? host.pointee.connectionCount) == 0 else { return false }
    breakers.takeConnection()
    shared?._withUnsafeGuaranteedRef { $0.connections.take() }
    return true
  }

  func releaseConnection(_ host: HostRef, isHigh: Bool) {
    BreakerReference(config: host.pointee.cluster.pointee.pointer, isHigh: isHigh).releaseConnection()
    host.pointee.pointer.pointee.shared?._withUnsafeGuaranteedRef { $0.connections.release() }
  }

  // MARK: Pools

  /// A pool that is put to use takes a unit of `max_connection_pools`. One of its host that only rests is given up for it.
  func reservePool(_ pool: PoolRef) -> Bool {
    if pool.pointee.holdsUnit { return true }
    let config = pool.pointee.host.pointee.cluster.pointee.pointer
    let breakers = BreakerReference(config: config, isHigh: pool.pointee.isHigh)
    if breakers.reservePool() || (closeRestingPool(beside: pool) && breakers.reservePool()) {
      pool.pointee.holdsUnit = true
      return true
    }
    breakers.note(.pools)
    slab.increment(config.pointee.stats.cxPoolOverflow)
    return false
  }

  func releasePoolIfUnused(_ pool: PoolRef) {
    guard pool.pointee.holdsUnit, pool.pointee.connectionCount == 0, pool.pointee.pending.head == nil else { return }
    pool.pointee.holdsUnit = false
    BreakerReference(config: pool.pointee.host.pointee.cluster.pointee.pointer, isHigh: pool.pointee.isHigh)
      .releasePool()
  }

  /// Closes the connections of a pool of the same host and priority in which nothing happens.
  private func closeRestingPool(beside pool: PoolRef) -> Bool {
    let host = pool.pointee.host
    var next: PoolRef? = HostRuntime.mainPool(host)
    while let candidate = next {
      next = candidate.pointee.next
      guard candidate != pool, candidate.pointee.isHigh == pool.pointee.isHigh, rests(candidate) else { continue }
      // Closing its last connection must free neither it nor the host.
      host.pointee.users += 1
      candidate.pointee.users += 1
      while let connection = candidate.pointee.idle { close(connection, isLocal: true) }
      candidate.pointee.users -= 1
      host.pointee.users -= 1
      return true
    }
    return false
  }

  /// Has connections, and no request is on one or waits for one.
  private func rests(_ pool: PoolRef) -> Bool {
    guard pool.pointee.holdsUnit, pool.pointee.pending.head == nil,
      pool.pointee.idleCount == pool.pointee.connectionCount
    else { return false }
    guard pool.pointee.isHTTP2 else { return true }
    // Those of HTTP/2 are in the list as long as they have room.
    var next = pool.pointee.idle
    while let connection = next {
      if http2(connection).map({ $0.pointee.streamCount > 0 }) ?? false { return false }
      next = connection.pointee.next
    }
    return true
  }
}
