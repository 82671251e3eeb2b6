import Primitives
import Reactor
import TLS

/// A host's HTTP connections of one kind on one worker, and the requests that wait for one.
struct ConnectionPool {
  let host: HostRef
  let isHTTP2: Bool
  /// For requests of the priority HIGH.
  let isHigh: Bool
  /// HTTP/1: connections with nothing to do, most recently used first. HTTP/2: those with room for one more request.
  var idle: ConnectionRef?
  var idleCount = 0
  var connectingCount = 0
  /// Connections in whatever state.
  var connectionCount = 0
  /// Counts in `max_connection_pools`.
  var holdsUnit = false
  /// Connections in whatever state, each of which leads here, and whoever walks over the pools.
  var users = 0
  var pending = StreamQueue()
  /// HTTP/2: what a connection that is on its way is expected to take.
  let streamsPerConnection: Int
  /// The host's next pool.
  var next: PoolRef?
  /// The name that its connections ask for (SNI), where requests decide; owned.
  var name: UnsafeMutableBufferPointer<UInt8>?
  /// Resumes the next TLS connection.
  var ticket: ClientTicket?
  /// The configuration that the ticket came by: what one has verified says nothing to another.
  var ticketNumber: UInt32 = 0

  init(host: HostRef, isHTTP2: Bool, isHigh: Bool = false, streamsPerConnection: Int) {
    self.host = host
    self.isHTTP2 = isHTTP2
    self.isHigh = isHigh
    self.streamsPerConnection = isHTTP2 ? streamsPerConnection : 1
  }

  var serverName: ByteView {
    guard let name, let base = name.baseAddress else { return .empty }
    return ByteView(base, name.count)
  }

  mutating func keepName(_ view: ByteView) {
    guard !view.isEmpty else { return }
    let memory = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: view.count)
    _ = memory.update(fromContentsOf: UnsafeBufferPointer(start: view.base, count: view.count))
    name = memory
  }

  func freeMemory() {
    name?.deallocate()
    ticket?.free()
  }

  /// Nothing leads here and no request waits: it may be freed.
  var isUnused: Bool { users == 0 && pending.head == nil }

  /// Requests that connections on their way will take.
  @inline(__always)
  var expected: Int { connectingCount &* streamsPerConnection }
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

  /// The host is gone: connections with nothing to do close, those of HTTP/2 when their last request is over.
  func closeIdle(_ host: HostRef) {
    var next: PoolRef? = HostRuntime.mainPool(host)
    while let pool = next {
      next = pool.pointee.next
      while let connection = pool.pointee.idle {
        if pool.pointee.isHTTP2 {
          upstreamHTTP2Retire(connection)
        } else {
          close(connection, isLocal: true)
        }
      }
    }
  }
}
