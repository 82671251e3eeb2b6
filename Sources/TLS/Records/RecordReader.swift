import Primitives

/// What opened records mean, after the handshake: everything but the data.
///
/// Records come one after the other, whole; alerts and handshake messages in one run (they are short and rare), data is not
/// looked at but for its count. What a peer may repeat without sending data is bounded.
public struct RecordReader: BitwiseCopyable, Sendable {
  public static let emptyRecordsMax = 32
  public static let keyUpdatesMax = 32
  public static let warningAlertsMax = 5

  public enum Event: Equatable, Sendable {
    /// Application data, to be delivered.
    case data
    /// Nothing for the layer above.
    case nothing
    /// close_notify: the peer sends no more.
    case closed
    /// The peer's keys changed, and it asks for ours: seal a KeyUpdate before anything else.
    case answerKeyUpdate
    /// The peer wants another handshake (TLS 1.2): send this as a warning.
    case refuse(TLSAlert)
    /// The peer gave up: nothing may be sent.
    case failed(by: TLSAlert)
    /// The peer broke a rule: send this, then close.
    case broken(TLSAlert)
  }

  public let isClient: Bool
  private let isTLS13: Bool
  private var emptyRecords: UInt8 = 0
  private var keyUpdates: UInt8 = 0
  private var warnings: UInt8 = 0
  private var renegotiations: UInt8 = 0
  private var messages = PostHandshake()

  public init(isClient: Bool, isTLS13: Bool) {
    self.isClient = isClient
    self.isTLS13 = isTLS13
  }

  /// The outcome of a record of application data with `count` bytes.
  @inline(__always)
  public mutating func data(_ count: Int) -> Event {
    if messages.isInMessage { return .broken(.unexpectedMessage) }
    guard count > 0 else {
      emptyRecords += 1
      return emptyRecords >= Self.emptyRecordsMax ? .broken(.unexpectedMessage) : .nothing
    }
    emptyRecords = 0
    keyUpdates = 0
    return .data
  }

  /// The outcome of any other record.
  ///
  /// - Parameter type: The type of the content; in TLS 1.3 the inner one.
  /// - Parameter protection: Gets new keys when the peer's have changed.
  public mutating func control(
    type: UInt8, content: ByteView, protection: inout RecordProtection
  ) -> Event {
    switch type {
    case RecordHeader.alert: return alert(content)
    case RecordHeader.handshake: return handshake(content, &protection)
    default: return .broken(.unexpectedMessage)
    }
  }

  private mutating func alert(_ content: ByteView) -> Event {
    if messages.isInMessage { return .broken(.unexpectedMessage) }
    // One alert a record, never in pieces (RFC 8446, section 5.1).
    guard content.count == 2 else { return .broken(.decodeError) }
    let alert = TLSAlert(rawValue: content[1])
    if alert == .closeNotify { return .closed }
    // TLS 1.3 has no warnings but this one (RFC 8446, section 6.1), which close_notify follows.
    if content[0] == 1, !isTLS13 || alert == .userCanceled {
      warnings += 1
      return warnings >= Self.warningAlertsMax ? .broken(.unexpectedMessage) : .nothing
    }
    return .failed(by: alert)
  }

  private mutating func handshake(_ content: ByteView, _ protection: inout RecordProtection) -> Event {
    // Empty fragments of messages are forbidden (RFC 8446, section 5.1).
    guard content.count > 0 else { return .broken(.unexpectedMessage) }
    var left = content
    var event = Event.nothing
    while left.count > 0 {
      let (count, outcome) = messages.take(left, isClient: isClient, isTLS13: isTLS13)
      left = left.dropFirst(count)
      switch outcome {
      case .needMore: break
      case .ticket: break
      case .keyUpdate(let asksForAnswer):
        // What follows in this record would have been sealed with the old keys (RFC 8446, section 5.1).
        guard left.isEmpty else { return .broken(.unexpectedMessage) }
        keyUpdates += 1
        guard keyUpdates < Self.keyUpdatesMax else { return .broken(.unexpectedMessage) }
        protection.updateReadKeys()
        if protection.isBroken { return .broken(.internalError) }
        if asksForAnswer { event = .answerKeyUpdate }
      case .renegotiation:
        renegotiations += 1
        guard renegotiations < Self.warningAlertsMax else { return .broken(.unexpectedMessage) }
        event = .refuse(.noRenegotiation)
      case .broken(let alert): return .broken(alert)
      }
    }
    return event
  }
}
