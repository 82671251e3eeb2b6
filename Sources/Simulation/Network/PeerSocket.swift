/// A peer's end of a connection, with a pace of its own in both directions.
final class PeerSocket {
  /// How fast a peer reads or writes.
  struct Pace {
    /// Most bytes at once.
    var bytesMax = Int.max
    /// Longest pause between two transfers, in nanoseconds.
    var pauseMax: UInt64 = 0
    /// Chance of a long pause.
    var stall = 0.0
    var stallNanoseconds: UInt64 = 0

    static let fast = Pace()

    static func drawn(_ dice: Dice) -> Pace {
      guard dice.chance(0.4) else { return .fast }
      var pace = Pace()
      pace.bytesMax = dice.skewed(1...20_000)
      pace.pauseMax = UInt64(dice.skewed(0...3_000_000))
      // Few bytes at a time is slow enough: a stream must not wait for hours because of the others.
      if pace.bytesMax < 64 {
        pace.pauseMax = min(pace.pauseMax, 1_000_000)
        return pace
      }
      if dice.chance(0.3) {
        pace.stall = 0.05
        pace.stallNanoseconds = UInt64(dice.within(1...300)) * Time.millisecond
      }
      return pace
    }
  }

  let connection: VirtualConnection
  private let network: VirtualNetwork
  private var events: EventQueue { network.events }
  var readPace = Pace.fast
  var writePace = Pace.fast

  /// Stands between what is said and what is sent.
  private(set) var security: PeerTLS?
  /// The protocol that the handshake agreed on; nil without one.
  var agreed: String?

  var onBytes: ([UInt8]) -> Void = { _ in }
  /// The proxy has ended its direction, and everything before was read.
  var onEnd: () -> Void = {}
  var onReset: () -> Void = {}
  /// Everything queued has been taken by the network.
  var onDrained: () -> Void = {}

  /// Our end is closed, after everything queued.
  var onClosed: () -> Void = {}

  private var output: [UInt8] = []
  private var outputAt = 0
  /// Our direction has ended, or ends when everything is out.
  private(set) var endsAfterOutput = false
  private var closesAfterOutput = false
  private(set) var isClosed = false
  private var readIsScheduled = false
  private var writeIsScheduled = false
  private var sawEnd = false
  private(set) var isReset = false
  /// Stops taking bytes, for a while or for good.
  var isPaused = false {
    didSet { if !isPaused { scheduleRead() } }
  }

  init(_ connection: VirtualConnection, network: VirtualNetwork) {
    self.connection = connection
    self.network = network
    // The connection keeps its peer alive until it is disposed of.
    connection.toPeer.onArrival = { [self] in scheduleRead() }
    connection.toProxy.onRoom = { [self] in scheduleWrite() }
    connection.peerHasOutput = { [unowned self] in hasOutput && !isClosed }
  }

  private func pause(_ pace: Pace) -> UInt64 {
    var time = UInt64(network.dice.within(0...Int(pace.pauseMax)))
    if pace.pauseMax > 0 { network.coverage.note(.slowPeer) }
    if network.dice.chance(pace.stall) { time += pace.stallNanoseconds }
    return time
  }

  // MARK: Reading

  private func scheduleRead() {
    guard !readIsScheduled, !isPaused, !isClosed else { return }
    readIsScheduled = true
    events.after(pause(readPace)) { [self] in
      readIsScheduled = false
      read()
    }
  }

  private func read() {
    guard !isPaused, !isClosed else { return }
    let pipe = connection.toPeer
    let bytes = pipe.read(readPace.bytesMax == .max ? .max : network.dice.within(1...readPace.bytesMax))
    if !bytes.isEmpty {
      network.trace.record(
        bytes[...], events.now,
        text: "\(events.now) peer of connection \(connection.id) reads \(bytes.count): \(Self.shown(bytes))")
      if security == nil { onBytes(bytes) } else { readSecurely(bytes) }
      if isClosed || isReset { return }
    }
    if !pipe.arrived.isEmpty {
      scheduleRead()
    } else if pipe.isReset {
      guard !isReset else { return }
      isReset = true
      network.trace.record(
        3, events.now, UInt64(connection.id),
        text: "\(events.now) peer of connection \(connection.id) sees a reset")
      security?.abandon()
      onReset()
    } else if pipe.isEnded, !sawEnd {
      sawEnd = true
      network.trace.record(
        4, events.now, UInt64(connection.id),
        text: "\(events.now) peer of connection \(connection.id) sees the end")
      if let security { endOfRecords(security) } else { onEnd() }
    }
  }

  // MARK: TLS

  /// What is said from here on is said over TLS.
  func secure(_ security: PeerTLS) {
    self.security = security
    sendRaw(security.begin())
  }

  private func readSecurely(_ bytes: [UInt8]) {
    guard let security else { return }
    var answers: [UInt8] = []
    let plaintext = security.receive(bytes, output: &answers)
    sendRaw(answers)
    if !plaintext.isEmpty {
      network.trace.record(
        plaintext[...], events.now,
        text: "\(events.now) peer of connection \(connection.id) opens \(plaintext.count): \(Self.shown(plaintext))")
      onBytes(plaintext)
      if isClosed { return }
    }
    // Whatever the handshake has let go.
    scheduleWrite()
    if security.hasFailed, !isReset {
      isReset = true
      onReset()
    } else if security.isClosed, !sawEnd {
      sawEnd = true
      network.trace.record(
        6, events.now, UInt64(connection.id),
        text: "\(events.now) peer of connection \(connection.id) sees close_notify")
      onEnd()
    }
  }

  /// The socket has ended, and the proxy has not said that this is all.
  private func endOfRecords(_ security: PeerTLS) {
    guard security.isEstablished else {
      security.abandon()
      return onEnd()
    }
    // In the middle of a record, or behind our own end, something else has gone wrong before.
    if !security.isInRecord, !endsAfterOutput, !closesAfterOutput { onCut() }
    isReset = true
    onReset()
  }

  /// The proxy's direction ended without close_notify.
  var onCut: () -> Void = {}

  static func shown(_ bytes: [UInt8]) -> String {
    let shown = bytes.prefix(96).map { byte -> Character in
      switch byte {
      case 10: "\u{2193}"
      case 13: "\u{2190}"
      case 32...126: Character(UnicodeScalar(byte))
      default: "\u{00B7}"
      }
    }
    return String(shown) + (bytes.count > 96 ? "..." : "")
  }

  // MARK: Writing

  var hasOutput: Bool { outputAt < output.count }

  func send(_ bytes: [UInt8]) {
    guard !isClosed, !bytes.isEmpty else { return }
    guard let security else { return sendRaw(bytes) }
    network.trace.record(
      bytes[...], events.now,
      text: "\(events.now) peer of connection \(connection.id) seals \(bytes.count): \(Self.shown(bytes))")
    sendRaw(security.send(bytes))
    scheduleWrite()
  }

  /// Past TLS.
  private func sendRaw(_ bytes: [UInt8]) {
    guard !isClosed, !bytes.isEmpty else { return }
    if outputAt == output.count {
      output.removeAll(keepingCapacity: true)
      outputAt = 0
    }
    output.append(contentsOf: bytes)
    scheduleWrite()
  }

  func send(_ text: String) { send(Array(text.utf8)) }

  /// Ends our direction when everything is out.
  func end() {
    endsAfterOutput = true
    scheduleWrite()
  }

  /// Closes when everything is out.
  func close() {
    closesAfterOutput = true
    scheduleWrite()
  }

  /// Closes at once with a reset.
  func abort() {
    guard !isClosed else { return }
    isClosed = true
    connection.reset()
    connection.peerClosed()
  }

  private func scheduleWrite() {
    guard !writeIsScheduled, !isClosed else { return }
    writeIsScheduled = true
    events.after(pause(writePace)) { [self] in
      writeIsScheduled = false
      write()
    }
  }

  private func write() {
    guard !isClosed else { return }
    let pipe = connection.toProxy
    // What a reset has thrown away is not followed by anything.
    if connection.resetIsOnTheWay, !pipe.isReset { return }
    if pipe.isReset {
      outputAt = output.count
    } else if hasOutput {
      let most = writePace.bytesMax == .max ? Int.max : network.dice.within(1...writePace.bytesMax)
      let count = min(output.count - outputAt, pipe.room, most)
      guard count > 0 else { return }
      let bytes = Array(output[outputAt..<outputAt + count])
      outputAt += count
      if network.dice.chance(network.faults.reset) {
        network.coverage.note(.reset)
        network.trace.record(
          5, events.now, UInt64(connection.id),
          text: "\(events.now) connection \(connection.id) is reset on the way")
        connection.reset()
        return
      }
      network.trace.record(
        bytes[...], events.now,
        text: "\(events.now) peer of connection \(connection.id) writes \(count): \(Self.shown(bytes))")
      pipe.write(bytes)
      if let security { breakIfTime(security, count) }
      if hasOutput {
        if pipe.room > 0 { scheduleWrite() }
        return
      }
    }
    if let security, !pipe.isReset {
      if security.hasWaiting { return }
      if closesAfterOutput || endsAfterOutput, security.wantsClose {
        sendRaw(security.close())
        return scheduleWrite()
      }
    }
    onDrained()
    if hasOutput || isClosed { return }
    if closesAfterOutput {
      isClosed = true
      connection.peerClosed()
      onClosed()
    } else if endsAfterOutput {
      pipe.end()
    }
  }

  private func breakIfTime(_ security: PeerTLS, _ count: Int) {
    let more = security.wrote(count)
    if security.isSilent {
      output.removeAll()
      outputAt = 0
    } else if security.isBroken {
      // Its owner learns that the connection is no more, and closes.
      output = more
      outputAt = 0
      isReset = true
      events.after(1) { [self] in onReset() }
    }
  }
}
