/// The number of an alert (RFC 8446, section 6): what is wrong with what a peer sent, or what it says is wrong with ours.
public struct TLSAlert: Error, RawRepresentable, Hashable, BitwiseCopyable, Sendable {
  public let rawValue: UInt8

  public init(rawValue: UInt8) { self.rawValue = rawValue }

  public static let closeNotify = TLSAlert(rawValue: 0)
  public static let unexpectedMessage = TLSAlert(rawValue: 10)
  public static let badRecordMAC = TLSAlert(rawValue: 20)
  public static let recordOverflow = TLSAlert(rawValue: 22)
  public static let illegalParameter = TLSAlert(rawValue: 47)
  public static let decodeError = TLSAlert(rawValue: 50)
  public static let protocolVersion = TLSAlert(rawValue: 70)
  public static let internalError = TLSAlert(rawValue: 80)
  public static let userCanceled = TLSAlert(rawValue: 90)
  /// A warning of TLS 1.2: the peer asked for another handshake and gets none.
  public static let noRenegotiation = TLSAlert(rawValue: 100)
}
