import Foundation
import Synchronization

/// A blocking upstream host: one thread a connection, answers made by a closure.
final class TestOrigin: Sendable {
  enum Answer: Sendable {
    case text(String)
    case bytes([UInt8])
    /// Closes the connection after the bytes.
    case bytesThenClose([UInt8])
  }

  typealias Handler = @Sendable (TestMessage) -> Answer
  typealias Server = @Sendable (BlockingSocket) throws -> Void

  private struct State {
    var requests: [TestMessage] = []
    var connections: [BlockingSocket] = []
    var threads: [DispatchSemaphore] = []
  }

  let port: UInt16
  private let listener: Int32
  private let state = Mutex(State())
  private let handler: Handler
  private let server: Server?

  /// An answer with this body.
  static func ok(_ body: String, headers: String = "") -> Answer {
    .text("HTTP/1.1 200 OK\r\ncontent-length: \(body.utf8.count)\r\n\(headers)\r\n\(body)")
  }

  /// - Parameter serve: Instead of `handler`: serves one connection to its end.
  init(_ handler: @escaping Handler, serve server: Server? = nil) throws {
    self.server = server
    (listener, port) = try BlockingSocket.listen()
    self.handler = handler
    start { [self] in acceptAll() }
  }

  var requests: [TestMessage] { state.withLock { $0.requests } }

  private func start(_ body: @escaping @Sendable () -> Void) {
    let ended = DispatchSemaphore(value: 0)
    state.withLock { $0.threads.append(ended) }
    let thread = Thread {
      body()
      ended.signal()
    }
    thread.stackSize = 1 << 20
    thread.start()
  }

  private func acceptAll() {
    while true {
      var fd: Int32 = -1
      repeat { fd = accept(listener, nil, nil) } while fd < 0 && errno == EINTR
      guard fd >= 0 else { return }
      let connection = BlockingSocket(fd: fd)
      state.withLock { $0.connections.append(connection) }
      start { [self] in serve(connection) }
    }
  }

  private func serve(_ connection: BlockingSocket) {
    if let server {
      try? server(connection)
      return
    }
    while let request = try? connection.readMessage() {
      state.withLock { $0.requests.append(request) }
      do {
        switch handler(request) {
        case .text(let text): try connection.send(text)
        case .bytes(let bytes): try connection.send(bytes)
        case .bytesThenClose(let bytes):
          try connection.send(bytes)
          connection.shutdownBoth()
          return
        }
      } catch {
        return
      }
    }
  }

  /// Ends all threads.
  func stop() {
    shutdown(listener, Int32(SHUT_RDWR))
    let (connections, threads) = state.withLock { ($0.connections, $0.threads) }
    for connection in connections { connection.shutdownBoth() }
    for thread in threads { thread.wait() }
    state.withLock { $0.connections = [] }
    close(listener)
  }
}
