import Primitives
import TLS
import TLSHarness

/// TLS between what a peer says and its socket: OpenSSL on plain memory, never detached. It checks who the proxy is, what its
/// records look like, and that they can be opened.
final class PeerTLS {
  private let peer: TLSPeer
  private let dice: Dice
  private let coverage: CoverageRecord
  /// What the proxy must not do.
  private let report: (String) -> Void
  /// The proxy may give up: an alert is no violation.
  private let mayBeRefused: Bool
  let habits: TLSHabits
  let isClient: Bool
  private var watch = TLSRecordWatch()
  /// Plaintext that waits for the handshake.
  private var waiting: [UInt8] = []
  private var sentCount = 0
  private var hasClosed = false
  /// Did something that no connection survives.
  private(set) var isBroken = false
  /// Sends nothing more.
  private(set) var isSilent = false
  private(set) var isEstablished = false
  private var isTLS13 = false
  /// Tells what was agreed on.
  var onEstablished: (TLSAgreement) -> Void = { _ in }
  /// The handshake is over, one way or the other.
  var onSettled: () -> Void = {}
  private var isSettled = false
  /// Kept for a later connection, or freed.
  var onTicket: ((ClientTicket) -> Void)?

  init(
    _ peer: TLSPeer, isClient: Bool, habits: TLSHabits, dice: Dice, coverage: CoverageRecord, mayBeRefused: Bool,
    report: @escaping (String) -> Void
  ) {
    self.peer = peer
    self.isClient = isClient
    self.habits = habits
    self.dice = dice
    self.coverage = coverage
    self.mayBeRefused = mayBeRefused
    self.report = report
  }

  /// The proxy said that it sends no more.
  var isClosed: Bool { peer.isClosed }
  var hasFailed: Bool { peer.hasFailed || watch.wrong != nil }
  /// Plaintext that has yet to become records.
  var hasWaiting: Bool { !waiting.isEmpty }
  /// Stands in the middle of a record of the proxy.
  var isInRecord: Bool { !watch.isWhole }

  // MARK: In

  /// A client's first flight; nothing for a server.
  func begin() -> [UInt8] {
    peer.receive([])
    return peer.takeOutput()
  }

  /// Plaintext of what came; answers go to `output`.
  func receive(_ bytes: [UInt8], output: inout [UInt8]) -> [UInt8] {
    guard !hasFailed, !isBroken else { return [] }
    watch.feed(bytes)
    if let wrong = watch.wrong {
      settle()
      report("TLS: \(wrong)")
      return []
    }
    peer.receive(bytes)
    if peer.isEstablished, !isEstablished { established() }
    output += peer.takeOutput()
    if isEstablished, !waiting.isEmpty {
      let bytes = waiting
      waiting = []
      output += send(bytes)
    }
    if let onTicket, let ticket = peer.handshake.takeTicket() { onTicket(ticket) }
    if peer.hasFailed { failed() }
    if isSilent { output = [] }
    return peer.takeReceived()
  }

  private func established() {
    isEstablished = true
    let agreement = peer.handshake.agreement
    isTLS13 = agreement.version == 0x0304
    watch.hasExplicitNonces = !isTLS13 && Self.gcmSuites.contains(agreement.cipher)
    coverage.note(isTLS13 ? .tls13 : .tls12)
    if agreement.isResumed { coverage.note(isClient ? .tlsResumedByClient : .tlsResumedByProxy) }
    settle()
    onEstablished(agreement)
  }

  private static let gcmSuites: Set<UInt16> = [0xC02B, 0xC02C, 0xC02F, 0xC030, 0x9C, 0x9D, 0x9E, 0x9F]

  private func settle() {
    guard !isSettled else { return }
    isSettled = true
    onSettled()
  }

  private func failed() {
    settle()
    waiting = []
    if isBroken { return }
    let words = peer.handshake.failureWords
    let isAlert = words.contains("refused with the alert")
    if isAlert { coverage.note(.tlsAlertReceived) }
    if !isAlert || !mayBeRefused { report("TLS: \(words)") }
  }

  /// The connection is over before the handshake was.
  func abandon() {
    waiting = []
    settle()
  }

  // MARK: Out

  /// Records of plaintext, now or when the handshake is over.
  func send(_ bytes: [UInt8]) -> [UInt8] {
    guard !hasFailed, !isBroken, !isSilent else { return [] }
    guard isEstablished else {
      if !isSettled { waiting += bytes }
      return []
    }
    if isTLS13, dice.chance(habits.keyUpdate) {
      coverage.note(.tlsKeyUpdate)
      peer.updateKeys(asksForAnswer: dice.chance(0.5))
    }
    // A large message in hundreds of records, not in thousands.
    let most = max(habits.recordMax, bytes.count / 300)
    if most < 16_384, bytes.count > most { coverage.note(.tlsSmallRecords) }
    var rest = bytes[...]
    while !rest.isEmpty {
      peer.send(Array(rest.prefix(most)))
      rest = rest.dropFirst(most)
    }
    return peer.takeOutput()
  }

  /// Whether the end of our direction has yet to be said.
  var wantsClose: Bool { isEstablished && !hasClosed && !hasFailed && !isBroken && !isSilent }

  func close() -> [UInt8] {
    hasClosed = true
    if cutsItsEnd {
      coverage.note(.tlsCloseOmitted)
      return []
    }
    peer.close()
    return peer.takeOutput()
  }

  /// The end means something, so it is said whatever the habit is.
  var mustClose = false

  /// The end of our direction will look like a cut.
  var cutsItsEnd: Bool { (habits.omitsClose || willCut) && !mustClose }

  /// The same, for one end.
  var willCut = false

  /// So many bytes have gone out: perhaps it is time to break something. What is returned is sent.
  func wrote(_ count: Int) -> [UInt8] {
    sentCount += count
    guard let breaks = habits.breaks, sentCount >= breaks.after, !isBroken, !isSilent, !hasFailed else { return [] }
    if !isEstablished { coverage.note(.tlsBrokenHandshake) }
    switch breaks.how {
    case .silence:
      coverage.note(.tlsSilence)
      isSilent = true
      abandon()
      return []
    case .garbage:
      coverage.note(.tlsGarbage)
      isBroken = true
      abandon()
      return (0..<dice.within(6...400)).map { _ in UInt8(truncatingIfNeeded: dice.next()) }
    case .alert:
      coverage.note(.tlsAlertSent)
      isBroken = true
      // The library sends a fatal alert when it is given what is no record.
      peer.receive(Array("no record".utf8))
      abandon()
      return peer.takeOutput()
    }
  }
}
