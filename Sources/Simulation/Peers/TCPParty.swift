import Primitives

/// One end of a proxied TCP connection: sends a stream, ends its direction, checks the other's.
final class TCPParty {
  enum Habit: Equatable {
    /// Ends its direction when everything is sent.
    case endsFirst
    /// Ends it only when the other side has.
    case endsLast
    /// Resets the connection after so many received bytes.
    case resets(after: Int)
  }

  private unowned let world: World
  private let name: String
  private let socket: PeerSocket
  private let stream: TCPStream
  private let habit: Habit
  private var reader = TCPStreamReader()
  private(set) var isDone = false
  private let onDone: () -> Void

  init(
    world: World, name: String, socket: PeerSocket, stream: TCPStream, habit: Habit,
    onDone: @escaping () -> Void
  ) {
    self.world = world
    self.name = name
    self.socket = socket
    self.stream = stream
    self.habit = habit
    self.onDone = onDone
  }

  func start(preface: [UInt8] = []) {
    socket.readPace = .drawn(world.peerDice)
    socket.writePace = .drawn(world.peerDice)
    socket.onBytes = { [self] in received($0) }
    socket.onEnd = { [self] in ended() }
    socket.onReset = { [self] in reset() }
    socket.send(preface + stream.bytes)
    let coverage = world.network.coverage
    coverage.note(.tcpSession)
    switch habit {
    case .endsFirst:
      coverage.note(.tcpEndsFirst)
      socket.end()
    case .endsLast: coverage.note(.tcpEndsLast)
    case .resets: break
    }
  }

  private func received(_ bytes: [UInt8]) {
    guard !isDone else { return }
    reader.feed(bytes)
    if reader.isWrong { world.report("\(name): wrong bytes \(reader.difference)") }
    if case .resets(let count) = habit, reader.received >= count {
      world.network.coverage.note(.tcpReset)
      socket.abort()
      finish()
    }
  }

  private func ended() {
    guard !isDone else { return }
    if !reader.isComplete, !world.mayFailTCP {
      world.report("\(name): the stream ended after \(reader.received) bytes")
    }
    socket.onClosed = { [self] in finish() }
    socket.close()
  }

  private func reset() {
    guard !isDone else { return }
    if !world.mayFailTCP { world.report("\(name): reset after \(reader.received) bytes") }
    socket.close()
    finish()
  }

  private func finish() {
    guard !isDone else { return }
    isDone = true
    onDone()
  }
}
