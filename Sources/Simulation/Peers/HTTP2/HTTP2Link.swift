import HTTP2Harness

/// HTTP/2 on one connection, from a peer's end (RFC 9113): frames, header lists, windows of both
/// directions. Written without the proxy's codec, except that the library decodes header blocks.
///
/// It reports what the proxy must not do: frames out of place, DATA beyond a window, streams beyond the
/// limit, pongs that nobody asked for.
final class HTTP2Link {
  enum Side { case client, server }

  struct Stream {
    /// What we may send, what the proxy may send; a change of settings can make them negative.
    var sendWindow: Int
    var receiveWindow: Int
    /// Received and not given back.
    var owed = 0
    var output: ArraySlice<UInt8> = []
    var trailers: Fields?
    var endsAfterOutput = false
    var hasSentEnd = false
    var hasReceivedHead = false
    var hasReceivedEnd = false
  }

  private unowned let world: World
  private let socket: PeerSocket
  let side: Side
  let habits: HTTP2Habits
  private let report: (String) -> Void
  private var dice: Dice { world.peerDice }

  // What the owner is told.
  var onHead: (UInt32, Fields, _ ends: Bool) -> Void = { _, _, _ in }
  var onBody: (UInt32, ArraySlice<UInt8>) -> Void = { _, _ in }
  var onEnd: (UInt32, _ trailers: Fields) -> Void = { _, _ in }
  var onReset: (UInt32, _ code: UInt32) -> Void = { _, _ in }
  var onGoAway: (_ last: UInt32, _ code: UInt32) -> Void = { _, _ in }
  var onSettings: () -> Void = {}
  /// Both directions of a stream have ended.
  var onStreamDone: (UInt32) -> Void = { _ in }

  private var cutter = HTTP2FrameCutter()
  private let encoder = HeaderEncoder()
  private let decoder = HeaderDecoder()
  private var streams: [UInt32: Stream] = [:]
  /// In the order of their ids; a dictionary's own differs from run to run.
  private var order: [UInt32] = []
  private var lastID: UInt32 = 0
  private var block: (stream: UInt32, ends: Bool, bytes: [UInt8])?

  private var sendWindow = 65_535
  private var receiveWindow: Int
  private var owed = 0
  private var peerInitialWindow = 65_535
  private var peerFrameMax = 16_384
  /// What the proxy allows us to have open; nil until it said so.
  private(set) var peerStreamsMax: Int?
  private(set) var hasPeerSettings = false
  /// The proxy takes extended CONNECT (RFC 8441).
  private(set) var peerAllowsConnect = false
  /// And whether we do.
  private(set) var allowsConnect = false
  private var isAcknowledged = false
  private var pingsUnderWay: [(number: UInt64, action: () -> Void)] = []
  private var pingCount: UInt64 = 0
  private(set) var isOver = false

  init(world: World, socket: PeerSocket, side: Side, report: @escaping (String) -> Void) {
    self.world = world
    self.socket = socket
    self.side = side
    self.report = report
    habits = HTTP2Habits(world.peerDice)
    receiveWindow = 65_535 + habits.connectionWindow
  }

  private func note(_ feature: Coverage.Feature) { world.network.coverage.note(feature) }

  private func wrong(_ text: String) { report("HTTP/2: \(text)") }

  var streamCount: Int { streams.count }

  /// The stream is open and our message on it is not whole.
  func isSending(_ id: UInt32) -> Bool { streams[id].map { !$0.hasSentEnd } ?? false }

  // MARK: Sending

  func start() {
    var settings: [(UInt16, UInt32)] = [(4, UInt32(habits.streamWindow))]
    if side == .client { settings.append((2, 0)) }
    if side == .server, let most = habits.streamsMax { settings.append((3, UInt32(most))) }
    if side == .server, world.settings.tunnels.isOn {
      allowsConnect = world.isCalm || dice.chance(0.6)
      if allowsConnect { settings.append((8, 1)) }
    }
    socket.send((side == .client ? Wire.preface : []) + Wire.settings(settings))
    if habits.connectionWindow > 0 {
      socket.send(Wire.windowUpdate(0, UInt32(habits.connectionWindow)))
    }
  }

  /// A client's next stream.
  func open(_ fields: Fields, ends: Bool) -> UInt32 {
    let id = lastID == 0 ? 1 : lastID + 2
    lastID = id
    add(id)
    head(id, fields, ends: ends)
    return id
  }

  private func add(_ id: UInt32) {
    streams[id] = Stream(
      sendWindow: peerInitialWindow, receiveWindow: isAcknowledged ? habits.streamWindow : 65_535)
    order.append(id)
  }

  /// A head, an interim response's or a final one's.
  func head(_ id: UInt32, _ fields: Fields, ends: Bool) {
    guard streams[id] != nil, !isOver else { return }
    sendBlock(id, encoder.encode(fields.map { ($0.name, $0.value) }), ends: ends)
    if ends {
      streams[id]?.hasSentEnd = true
      closeIfDone(id)
    }
  }

  private func sendBlock(_ id: UInt32, _ block: [UInt8], ends: Bool) {
    if dice.chance(habits.ping) { ping() }
    if dice.chance(habits.unknownFrame) {
      note(.http2UnknownFrame)
      socket.send(Wire.frame(0xEE, flags: 0xFF, stream: id, [1, 2, 3]))
    }
    let cut = dice.chance(habits.continuation) && block.count > 1 ? dice.within(1...block.count - 1) : block.count
    // A frame's largest size holds for pieces of a block too.
    var rest = block[min(cut, 16_384)...]
    socket.send(Wire.headers(id, Array(block.prefix(min(cut, 16_384))), ends: ends, isWhole: rest.isEmpty))
    while !rest.isEmpty {
      note(.http2Continuation)
      let piece = rest.prefix(16_384)
      rest = rest.dropFirst(piece.count)
      socket.send(Wire.continuation(id, Array(piece), isWhole: rest.isEmpty))
    }
  }

  /// The rest of a message.
  func body(_ id: UInt32, _ bytes: ArraySlice<UInt8>, trailers: Fields?) {
    guard streams[id] != nil else { return }
    streams[id]?.output = bytes
    streams[id]?.trailers = trailers
    streams[id]?.endsAfterOutput = true
    pump()
  }

  /// A part of a message that will not be continued.
  func part(_ id: UInt32, _ bytes: ArraySlice<UInt8>) {
    streams[id]?.output = bytes
    pump()
  }

  /// More of a message whose end is not known.
  func more(_ id: UInt32, _ bytes: [UInt8]) {
    streams[id]?.output += bytes
    pump()
  }

  /// The message ends behind what was given.
  func finish(_ id: UInt32) {
    streams[id]?.endsAfterOutput = true
    pump()
  }

  func reset(_ id: UInt32, _ code: UInt32) {
    guard streams[id] != nil, !isOver else { return }
    socket.send(Wire.reset(id, code))
    remove(id)
  }

  func goAway(last: UInt32, _ code: UInt32 = 0) {
    guard !isOver else { return }
    socket.send(Wire.goAway(last: last, code))
  }

  var lastProcessed: UInt32 { lastID }

  private func ping() {
    note(.http2Ping)
    afterRoundTrip {}
  }

  /// Calls `action` when the proxy has answered a PING: it has seen all that was sent before.
  func afterRoundTrip(_ action: @escaping () -> Void) {
    pingCount += 1
    pingsUnderWay.append((pingCount, action))
    socket.send(Wire.frame(6, Wire.big(0) + Wire.big(UInt32(pingCount))))
  }

  /// Sends what the windows allow, a frame of each stream in turn.
  private func pump() {
    guard !isOver else { return }
    var isMoving = true
    while isMoving {
      isMoving = false
      for id in order { if sendFrame(id) { isMoving = true } }
    }
  }

  private func sendFrame(_ id: UInt32) -> Bool {
    guard var stream = streams[id], !stream.hasSentEnd else { return false }
    if stream.output.isEmpty {
      guard stream.endsAfterOutput else { return false }
      finish(id, stream)
      return false
    }
    // A large message in hundreds of frames, not in a hundred thousand.
    var room = min(sendWindow, stream.sendWindow, max(habits.frameMax, stream.output.count / 400), peerFrameMax)
    guard room > 0 else {
      note(sendWindow > 0 ? .http2StreamWindowFull : .http2ConnectionWindowFull)
      return false
    }
    var padding: Int?
    if room > 1, dice.chance(habits.padding) {
      note(.http2Padding)
      padding = min(dice.within(0...255), room - 2)
      room -= 1 + (padding ?? 0)
    }
    let piece = stream.output.prefix(room)
    stream.output = stream.output.dropFirst(piece.count)
    let isLast = stream.output.isEmpty && stream.endsAfterOutput && stream.trailers == nil
    let ends = isLast && dice.chance(0.8)
    let count = piece.count + (padding.map { $0 + 1 } ?? 0)
    sendWindow -= count
    stream.sendWindow -= count
    stream.hasSentEnd = ends
    streams[id] = stream
    socket.send(Wire.data(id, Array(piece), ends: ends, padding: padding))
    if ends { closeIfDone(id) }
    return !ends
  }

  /// The end of a message whose bytes are out: trailers, or an empty frame.
  private func finish(_ id: UInt32, _ stream: Stream) {
    streams[id]?.hasSentEnd = true
    if let trailers = stream.trailers {
      sendBlock(id, encoder.encode(trailers.map { ($0.name, $0.value) }), ends: true)
    } else {
      socket.send(Wire.data(id, [], ends: true))
    }
    closeIfDone(id)
  }

  private func closeIfDone(_ id: UInt32) {
    guard let stream = streams[id], stream.hasSentEnd, stream.hasReceivedEnd else { return }
    remove(id)
    onStreamDone(id)
  }

  private func remove(_ id: UInt32) {
    streams[id] = nil
    order.removeAll { $0 == id }
  }

  /// No more is sent or read.
  func stop() {
    isOver = true
    pingsUnderWay = []
  }

  // MARK: Receiving

  func fed(_ bytes: some Collection<UInt8>) {
    cutter.feed(bytes)
    while !isOver, let frame = cutter.next() { take(frame) }
  }

  var isBetweenFrames: Bool { cutter.isEmpty }

  private func take(_ frame: HTTP2Frame) {
    if frame.payload.count > 16_384 { wrong("a frame of \(frame.payload.count) bytes") }
    if !hasPeerSettings, frame.kind != .settings { wrong("the first frame is \(frame)") }
    if block != nil, frame.kind != .continuation { wrong("a header block was interrupted by \(frame)") }
    switch frame.kind {
    case .data: takeData(frame)
    case .headers: takeHeaders(frame)
    case .continuation: takeContinuation(frame)
    case .reset: takeReset(frame)
    case .settings: takeSettings(frame)
    case .ping: takePing(frame)
    case .goAway: onGoAway(frame.word(0) & 0x7FFF_FFFF, frame.word(4))
    case .windowUpdate: takeWindowUpdate(frame)
    case .priority, .pushPromise, nil: wrong("a frame that the proxy has no reason to send: \(frame)")
    }
  }

  /// A stream that was open once.
  private func wasOpen(_ id: UInt32) -> Bool { id % 2 == 1 && id <= lastID }

  private func takeData(_ frame: HTTP2Frame) {
    let count = frame.payload.count
    receiveWindow -= count
    // A change of settings may have left less than nothing: then an empty frame is still allowed.
    if count > 0, receiveWindow < 0 { wrong("DATA beyond the connection's window by \(-receiveWindow)") }
    giveBackToConnection(count)
    guard var stream = streams[frame.stream] else {
      if !wasOpen(frame.stream) { wrong("DATA on stream \(frame.stream)") }
      return
    }
    stream.receiveWindow -= count
    if count > 0, stream.receiveWindow < 0 {
      wrong("DATA beyond stream \(frame.stream)'s window by \(-stream.receiveWindow)")
    }
    if !stream.hasReceivedHead { wrong("DATA before the head on stream \(frame.stream)") }
    if stream.hasReceivedEnd { wrong("DATA after the end of stream \(frame.stream)") }
    stream.owed += count
    streams[frame.stream] = stream
    guard let content = frame.content else { return wrong("padding") }
    onBody(frame.stream, content)
    if frame.has(HTTP2Frame.endStream) {
      received(endOf: frame.stream, trailers: [])
    } else {
      giveBack(frame.stream)
    }
  }

  private func giveBackToConnection(_ count: Int) {
    owed += count
    guard owed >= min(habits.returnsAfter, 30_000) else { return }
    let returned = owed
    owed = 0
    later { [self] in
      receiveWindow += returned
      socket.send(Wire.windowUpdate(0, UInt32(returned)))
    }
  }

  private func giveBack(_ id: UInt32) {
    guard let stream = streams[id], stream.owed >= habits.returnsAfter else { return }
    let returned = stream.owed
    streams[id]?.owed = 0
    later { [self] in
      guard let stream = streams[id], !stream.hasReceivedEnd else { return }
      streams[id]?.receiveWindow += returned
      socket.send(Wire.windowUpdate(id, UInt32(returned)))
    }
  }

  private func later(_ action: @escaping () -> Void) {
    guard habits.returnDelay > 0 else { return action() }
    note(.http2SlowWindow)
    world.events.after(habits.returnDelay) { [self] in if !isOver { action() } }
  }

  private func received(endOf id: UInt32, trailers: Fields) {
    streams[id]?.hasReceivedEnd = true
    onEnd(id, trailers)
    closeIfDone(id)
  }

  private func takeHeaders(_ frame: HTTP2Frame) {
    guard let content = frame.content else { return wrong("padding of HEADERS") }
    block = (frame.stream, frame.has(HTTP2Frame.endStream), Array(content))
    if frame.has(HTTP2Frame.endHeaders) { blockDone() }
  }

  private func takeContinuation(_ frame: HTTP2Frame) {
    guard block?.stream == frame.stream else { return wrong("CONTINUATION out of place") }
    block?.bytes += frame.payload
    if frame.has(HTTP2Frame.endHeaders) { blockDone() }
  }

  private func blockDone() {
    guard let (id, ends, bytes) = block else { return }
    block = nil
    guard let lines = decoder.decode(bytes) else { return wrong("a broken header block") }
    let fields = lines.map(Self.field)
    if streams[id] == nil, !openByPeer(id) { return }
    guard let stream = streams[id] else { return }
    if stream.hasReceivedEnd { wrong("a head after the end of stream \(id)") }
    let isInterim = side == .client && (fields.first { $0.name == ":status" }?.value.first == "1")
    if stream.hasReceivedHead {
      if !ends { wrong("trailers without END_STREAM on stream \(id)") }
      if fields.contains(where: { $0.name.hasPrefix(":") }) { wrong("pseudo-headers in trailers") }
      received(endOf: id, trailers: fields)
      return
    }
    if !isInterim { streams[id]?.hasReceivedHead = true }
    onHead(id, fields, ends)
    if ends { received(endOf: id, trailers: []) }
  }

  /// - Returns: False when it may not, or was open before.
  private func openByPeer(_ id: UInt32) -> Bool {
    if side == .client {
      if !wasOpen(id) { wrong("HEADERS on stream \(id)") }
      return false
    }
    if id % 2 == 0 || id <= lastID {
      if !wasOpen(id) { wrong("stream \(id) was opened") }
      return false
    }
    lastID = id
    add(id)
    if let most = habits.streamsMax, isAcknowledged, streams.count > most {
      wrong("\(streams.count) streams, and \(most) are allowed")
    }
    if streams.count > 1 { note(.http2ConcurrentStreams) }
    return true
  }

  /// `name: value`, perhaps with a `!` in front that says how it was encoded.
  private static func field(_ line: String) -> (name: String, value: String) {
    let text = line.drop { $0 == "!" }
    guard let colon = text.dropFirst().firstIndex(of: ":") else { return (String(text), "") }
    return (String(text[..<colon]), String(text[text.index(after: colon)...].dropFirst()))
  }

  private func takeReset(_ frame: HTTP2Frame) {
    if frame.payload.count != 4 { wrong("RST_STREAM of \(frame.payload.count) bytes") }
    guard streams[frame.stream] != nil else {
      if !wasOpen(frame.stream) { wrong("RST_STREAM of stream \(frame.stream)") }
      return
    }
    remove(frame.stream)
    onReset(frame.stream, frame.word(0))
  }

  private func takeSettings(_ frame: HTTP2Frame) {
    if frame.has(HTTP2Frame.acknowledges) {
      if isAcknowledged { wrong("SETTINGS were acknowledged twice") }
      isAcknowledged = true
      for id in order { streams[id]?.receiveWindow += habits.streamWindow - 65_535 }
      return
    }
    hasPeerSettings = true
    for at in stride(from: 0, to: frame.payload.count, by: 6) {
      let value = frame.word(at + 2)
      switch frame.word(at) >> 16 {
      case 3: peerStreamsMax = Int(value)
      case 4:
        for id in order { streams[id]?.sendWindow += Int(value) - peerInitialWindow }
        peerInitialWindow = Int(value)
      case 5: peerFrameMax = Int(value)
      case 8: peerAllowsConnect = value == 1
      default: break
      }
    }
    socket.send(Wire.settingsAck)
    onSettings()
    pump()
  }

  private func takePing(_ frame: HTTP2Frame) {
    if frame.payload.count != 8 { wrong("PING of \(frame.payload.count) bytes") }
    guard frame.has(HTTP2Frame.acknowledges) else {
      return socket.send(Wire.frame(6, flags: HTTP2Frame.acknowledges, Array(frame.payload)))
    }
    let number = UInt64(frame.word(4))
    guard pingsUnderWay.first?.number == number else { return wrong("a pong that nobody waits for") }
    pingsUnderWay.removeFirst().action()
  }

  private func takeWindowUpdate(_ frame: HTTP2Frame) {
    let count = Int(frame.word(0) & 0x7FFF_FFFF)
    if count == 0 { wrong("WINDOW_UPDATE of nothing") }
    if frame.stream == 0 {
      sendWindow += count
    } else if streams[frame.stream] != nil {
      streams[frame.stream]?.sendWindow += count
    } else if !wasOpen(frame.stream) {
      wrong("WINDOW_UPDATE of stream \(frame.stream)")
    }
    if max(sendWindow, streams[frame.stream]?.sendWindow ?? 0) > Int(Int32.max) { wrong("a window above 2^31 - 1") }
    pump()
  }
}
