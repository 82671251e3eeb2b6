import HTTP2
import HTTP2Harness
import HTTPCore
import HTTPHarness

extension FuzzTarget {
  /// What a client sends after its preface. Choices: options, where to cut.
  package static let http2Frames = FuzzTarget(name: "http2-frames", bytesMax: 2048) { bytes in
    var input = FuzzInput(bytes)
    let choice = input.choice()
    let cut = Int(input.choice()) | Int(choice >> 6) << 8
    let start = choice.bit(5) ? Wire.preface : Wire.clientStart
    let message = start + input.rest()
    let options = HTTP2Options(fuzzed: choice)

    try HTTP2Outcomes(
      message, cut: cut,
      make: {
        let server = SessionRecorder(server: options)
        server.answers = choice.bit(0)
        return server
      }
    ).check(isServer: true)
  }

  /// What a server sends to a client with requests out. Choices: options, where to cut, requests.
  package static let http2Client = FuzzTarget(name: "http2-client", bytesMax: 2048) { bytes in
    var input = FuzzInput(bytes)
    let choice = input.choice()
    let cut = Int(input.choice()) | Int(choice >> 6) << 8
    let requests = input.choice()
    let message = (choice.bit(5) ? [] : Wire.settings()) + input.rest()
    let options = HTTP2Options(fuzzed: choice)

    try HTTP2Outcomes(
      message, cut: cut,
      make: {
        let client = SessionRecorder(client: options)
        client.request(requests.bit(0) ? "HEAD" : "GET")
        if requests.bit(1) {
          client.request("CONNECT", ends: false, pseudo: [(":authority", "a:1")])
        } else {
          client.request("POST", ends: false)
        }
        if requests.bit(2) {
          client.offer(3, Array(repeating: 1, count: 100), ends: true, trailers: [("x", "y")])
        }
        client.request("GET")
        if requests.bit(3) { client.drain() }
        if requests.bit(4) { client.reset(5) }
        return client
      }
    ).check(isServer: false)
  }
}

extension HTTP2Options {
  /// Small limits, so that short inputs reach them.
  fileprivate init(fuzzed choice: UInt8) {
    self.init()
    closesOnMalformed = choice.bit(1)
    if choice.bit(2) {
      headBytesMax = 200
      fieldCountMax = 8
      maxConcurrentStreams = 2
      budgets.resetBurst = 3
      budgets.controlBurst = 6
      budgets.priorityFramesPerStream = 2
      budgets.continuationsMax = 3
    }
    allowsConnect = choice.bit(3)
    refusesObsText = choice.bit(3)
    underscores = choice.bit(4) ? (choice.bit(3) ? .reject : .drop) : .allow
  }
}

/// The ways to cut one input, and what must be the same in all of them.
private struct HTTP2Outcomes {
  let message: [UInt8]
  let cut: Int
  let make: () -> SessionRecorder

  init(_ message: [UInt8], cut: Int, make: @escaping () -> SessionRecorder) {
    self.message = message
    self.cut = message.isEmpty ? 0 : cut % (message.count + 1)
    self.make = make
  }

  /// The recorder itself traps on events for streams that were released, on ends told twice, on
  /// memory that is left.
  func check(isServer: Bool) throws {
    let whole = make()
    whole.feed(message)
    whole.drain()
    let outcome = SessionOutcome(whole)
    try checkEnd(whole, isServer: isServer)
    if message.isEmpty { return }
    for ends in [[cut, message.count], Array(1...message.count)] {
      let other = make()
      other.feed(message, ends: ends)
      other.drain()
      try requireEqual(SessionOutcome(other), outcome, "\(ends.count) pieces")
    }
    // Output between the pieces may close streams earlier; nothing may break.
    let drained = make()
    drained.feed(message, ends: Array(1...message.count), drains: true)
    try checkEnd(drained, isServer: isServer)
  }

  /// A session that lives is where a plain reader of frames says: at a boundary a PING is answered.
  private func checkEnd(_ recorder: SessionRecorder, isServer: Bool) throws {
    if recorder.hasFailed || !isAtBoundary(isServer: isServer) { return }
    if recorder.events.contains(where: { $0.contains("goaway") }) { return }
    recorder.feed(Wire.ping(0x77))
    recorder.drain()
    if recorder.failure?.reason == .controlFramesFlood { return }
    try require(
      recorder.frames.contains("PING ACK 2004318071 2004318071"),
      "no answer to a PING: \(recorder.events) \(recorder.frames)")
  }

  private func isAtBoundary(isServer: Bool) -> Bool {
    var at = isServer ? Wire.preface.count : 0
    var isOpen = false
    var count = 0
    while at + 9 <= message.count {
      let length = Int(message[at]) << 16 | Int(message[at + 1]) << 8 | Int(message[at + 2])
      if [1, 9].contains(message[at + 3]) { isOpen = message[at + 4] & 4 == 0 }
      at += 9 + length
      count += 1
    }
    return at == message.count && !isOpen && count > 0
  }
}
