import Primitives
import TLS

/// One side of a connection on memory that stays with the library: what records of our own are checked against.
package final class TLSPeer {
  package let handshake: Handshake
  /// Bytes for the other side.
  package private(set) var output: [UInt8] = []
  /// Plaintext that came.
  package private(set) var received: [UInt8] = []
  package private(set) var isEstablished = false
  package private(set) var isClosed = false
  package private(set) var hasFailed = false
  private var input: [UInt8] = []
  private let context: TLSContext
  /// Most bytes of output at a time, to try small rooms.
  package var roomSize = 16_384
  /// Most bytes of input at a time.
  package var runSize = Int.max

  package init(_ context: TLSContext, now: Int64 = TestIdentity.now) throws(TLSSetupError) {
    self.context = context
    guard let handshake = Handshake(context.ref, now: now) else { throw TLSSetupError("memory is short") }
    self.handshake = handshake
  }

  deinit { handshake.free() }

  package func takeOutput() -> [UInt8] {
    defer { output = [] }
    return output
  }

  package func takeReceived() -> [UInt8] {
    defer { received = [] }
    return received
  }

  /// Input that nobody has taken yet: after a handshake it belongs to what follows.
  package func takeInput() -> [UInt8] {
    defer { input = [] }
    return input
  }

  /// Goes on with the handshake, and with reading behind it unless the caller wants to `stop` there.
  package func receive(_ bytes: [UInt8], stopsWhenEstablished: Bool = false) {
    input += bytes
    while !isEstablished, !hasFailed {
      let (step, hadInput) = run { handshake.step(input: &$0, output: &$1) }
      switch step {
      case .done: isEstablished = true
      case .needsInput: if !hadInput { return }
      case .needsRoom: break
      case .failed: hasFailed = true
      }
    }
    guard isEstablished, !stopsWhenEstablished else { return }
    read()
  }

  private func read() {
    var room = [UInt8](repeating: 0, count: 5_000)
    while !isClosed, !hasFailed {
      let (outcome, hadInput) = run { input, output in
        room.withUnsafeMutableBufferPointer {
          handshake.read(into: $0.baseAddress!, room: $0.count, input: &input, output: &output)
        }
      }
      switch outcome {
      case .data(let count): received += room[..<count]
      case .needsInput: if !hadInput { return }
      case .needsRoom: break
      case .closed: isClosed = true
      case .failed: hasFailed = true
      }
    }
  }

  package func send(_ bytes: [UInt8]) {
    var left = bytes[...]
    repeat {
      let part = Array(left)
      let (outcome, _) = run { _, output in
        part.withUnsafeBufferPointer { part in
          handshake.write(part.baseAddress.map { ByteView($0, part.count) } ?? .empty, output: &output)
        }
      }
      switch outcome {
      case .taken(let count): left = left.dropFirst(count)
      case .needsRoom: break
      case .needsInput, .failed:
        hasFailed = true
        return
      }
    } while !left.isEmpty
  }

  package func close() {
    for _ in 0..<100 where !run({ _, output in handshake.closeNotify(output: &output) }).0 {}
  }

  package func updateKeys(asksForAnswer: Bool) {
    _ = run { _, output in handshake.updateKeys(asksForAnswer: asksForAnswer, output: &output) }
  }

  /// Lends a run of the input and a room, and keeps what came of both. Also says whether there was input.
  private func run<R>(_ body: (inout ByteView, inout OutputRoom) -> R) -> (R, Bool) {
    var room = [UInt8](repeating: 0, count: roomSize)
    let run = Array(input.prefix(runSize))
    var taken = 0
    let result = room.withUnsafeMutableBufferPointer { room in
      run.withUnsafeBufferPointer { run in
        var view = run.baseAddress.map { ByteView($0, run.count) } ?? .empty
        var to = OutputRoom(room.baseAddress!, capacity: room.count)
        let result = body(&view, &to)
        taken = run.count - view.count
        output += room[..<to.count]
        return result
      }
    }
    input.removeFirst(taken)
    return (result, taken > 0)
  }

  /// Lets two sides talk until neither has anything to say.
  package static func exchange(_ a: TLSPeer, _ b: TLSPeer) {
    a.receive([])
    repeat {
      b.receive(a.takeOutput())
      a.receive(b.takeOutput())
    } while !a.output.isEmpty || !b.output.isEmpty
  }
}
