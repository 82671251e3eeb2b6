import Reactor

/// A host's HTTP connections of one kind on one worker, and the requests that wait for one.
struct ConnectionPool {
  let host: HostRef
  /// Connections with nothing to do, most recently used first.
  var idle: ConnectionRef?
  var idleCount = 0
  var connectingCount = 0
  var pending = PendingQueue()
}

typealias PoolRef = UnsafeMutablePointer<ConnectionPool>

extension Worker {
  func addIdle(_ connection: ConnectionRef, _ pool: PoolRef) {
    connection.pointee.flags.insert(.isPooled)
    connection.pointee.previous = nil
    connection.pointee.next = pool.pointee.idle
    pool.pointee.idle?.pointee.previous = connection
    pool.pointee.idle = connection
    pool.pointee.idleCount += 1
  }

  func removeIdle(_ connection: ConnectionRef, _ pool: PoolRef) {
    connection.pointee.flags.remove(.isPooled)
    connection.pointee.next?.pointee.previous = connection.pointee.previous
    if let previous = connection.pointee.previous {
      previous.pointee.next = connection.pointee.next
    } else {
      pool.pointee.idle = connection.pointee.next
    }
    connection.pointee.previous = nil
    connection.pointee.next = nil
    pool.pointee.idleCount -= 1
  }
}
