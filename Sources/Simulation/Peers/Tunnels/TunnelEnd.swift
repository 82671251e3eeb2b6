/// One end of a tunnel: says what is planned, checks what the other end says, ends its direction first or last.
final class TunnelEnd {
  /// What carries it.
  struct Carrier {
    let send: ([UInt8]) -> Void
    /// Ends our direction behind everything that was sent.
    let end: () -> Void
    /// Breaks it.
    let reset: () -> Void
  }

  private unowned let world: World
  private let name: String
  private let stream: TCPStream
  private let habit: TCPParty.Habit
  /// Of what comes; nil when the other end chooses.
  private let expectedKey: UInt64?
  private let carrier: Carrier
  private var reader = TCPStreamReader()
  private var hasSpoken = false
  private var hasEnded = false
  private(set) var isAccepted = false
  private(set) var isOver = false

  init(
    world: World, name: String, stream: TCPStream, habit: TCPParty.Habit, expectedKey: UInt64?, carrier: Carrier
  ) {
    self.world = world
    self.name = name
    self.stream = stream
    self.habit = habit
    self.expectedKey = expectedKey
    self.carrier = carrier
  }

  private func report(_ text: String) { world.report("\(name): \(text)") }

  func speak() {
    guard !hasSpoken else { return }
    hasSpoken = true
    carrier.send(stream.bytes)
  }

  func accepted() {
    isAccepted = true
    speak()
    if habit == .endsFirst { end() }
  }

  private func end() {
    guard !hasEnded else { return }
    hasEnded = true
    carrier.end()
  }

  func received(_ bytes: ArraySlice<UInt8>) {
    guard !isOver else { return }
    if !isAccepted { report("\(bytes.count) bytes before the tunnel was there") }
    reader.feed(Array(bytes))
    if reader.isWrong { report("wrong bytes \(reader.difference)") }
    if let expectedKey, let key = reader.stream?.key, key != expectedKey { report("bytes of tunnel \(key)") }
    if case .resets(let count) = habit, reader.received >= count {
      isOver = true
      world.network.coverage.note(.tunnelBroken)
      carrier.reset()
    }
  }

  /// The other end will say no more.
  func otherEnded() {
    guard !isOver else { return }
    isOver = true
    if !reader.isComplete, !world.mayFail { report("the tunnel ended after \(reader.received) bytes") }
    if reader.isComplete {
      world.network.coverage.note(hasEnded ? .tunnelEndsFirst : .tunnelEndsLast)
    }
    speak()
    end()
  }

  /// The carrier broke.
  func broke(_ how: String) {
    guard !isOver else { return }
    isOver = true
    if !world.mayFail { report("\(how) after \(reader.received) bytes") }
  }
}
