import Primitives

/// Reads the handshake messages that may come after the handshake, cut at any byte.
struct PostHandshake: BitwiseCopyable, Sendable {
  enum Outcome: Equatable {
    case needMore
    /// A ticket (TLS 1.3, at a client), passed over.
    case ticket
    case keyUpdate(asksForAnswer: Bool)
    /// HelloRequest or ClientHello in TLS 1.2, passed over.
    case renegotiation
    case broken(TLSAlert)
  }

  private static let helloRequest: UInt8 = 0
  private static let clientHello: UInt8 = 1
  private static let newSessionTicket: UInt8 = 4
  private static let keyUpdate: UInt8 = 24
  /// Longest ClientHello that is passed over, in bytes; a ticket needs at most 2^16 and some.
  private static let messageBytesMax = 1 << 17

  /// Type and length, as far as they have come.
  private var head: UInt32 = 0
  private var headCount: UInt8 = 0
  /// Bytes of the message's body that are still to come.
  private var bodyLeft: UInt32 = 0

  /// Whether a message has begun and not ended; no other record may come then.
  @inline(__always)
  var isInMessage: Bool { headCount > 0 }

  /// Takes bytes up to the end of one message, or all.
  mutating func take(_ bytes: ByteView, isClient: Bool, isTLS13: Bool) -> (count: Int, Outcome) {
    var at = 0
    while headCount < 4 {
      guard at < bytes.count else { return (at, .needMore) }
      head = head << 8 | UInt32(bytes[at])
      headCount += 1
      at += 1
      if headCount == 1, !Self.isAllowed(UInt8(head), isClient: isClient, isTLS13: isTLS13) {
        return (at, .broken(.unexpectedMessage))
      }
      if headCount == 4 {
        bodyLeft = head & 0xff_ffff
        if let alert = Self.fault(type: type, count: Int(bodyLeft)) { return (at, .broken(alert)) }
      }
    }
    let part = min(bytes.count - at, Int(bodyLeft))
    let last = part > 0 ? bytes[at + part - 1] : 0
    at += part
    bodyLeft -= UInt32(part)
    guard bodyLeft == 0 else { return (at, .needMore) }
    let type = type
    head = 0
    headCount = 0
    switch type {
    case Self.keyUpdate:
      // One byte: whether the peer wants an answer.
      guard last <= 1 else { return (at, .broken(.illegalParameter)) }
      return (at, .keyUpdate(asksForAnswer: last == 1))
    case Self.newSessionTicket: return (at, .ticket)
    default: return (at, .renegotiation)
    }
  }

  private var type: UInt8 { UInt8(truncatingIfNeeded: head >> 24) }

  private static func isAllowed(_ type: UInt8, isClient: Bool, isTLS13: Bool) -> Bool {
    switch type {
    case keyUpdate: isTLS13
    case newSessionTicket: isTLS13 && isClient
    case helloRequest: !isTLS13 && isClient
    case clientHello: !isTLS13 && !isClient
    default: false
    }
  }

  private static func fault(type: UInt8, count: Int) -> TLSAlert? {
    switch type {
    case keyUpdate: count == 1 ? nil : .decodeError
    case helloRequest: count == 0 ? nil : .decodeError
    default: count <= messageBytesMax ? nil : .decodeError
    }
  }
}
