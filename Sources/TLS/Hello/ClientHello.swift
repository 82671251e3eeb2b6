import Primitives

/// The first message of a TLS client (RFC 8446, section 4.1.2; RFC 5246, section 7.4.1.2), read before any connection
/// object of the library exists: what chooses a filter chain and a certificate.
///
/// Views point into the bytes that were given, or into the scratch memory when the message spans records. Lists are
/// checked when they are kept; what is unknown is passed over. Nothing is allocated.
public struct ClientHello: BitwiseCopyable, Sendable {
  public enum Outcome: Sendable {
    case needMore
    /// Decided on the first byte that TLS does not have there.
    case notTLS(PlainGuess)
    case complete(ClientHello)
    /// TLS, but not a hello that follows the rules; the library words the alert.
    case malformed
    /// More bytes than the limit.
    case tooLarge
  }

  /// The name the client wants (RFC 6066, section 3), as sent; empty when there is none.
  public internal(set) var serverName = ByteView.empty
  /// The protocols it speaks (RFC 7301), each behind a byte with its length; empty when it does not say.
  public internal(set) var protocols = ByteView.empty
  /// The curves of ECDSA certificates it takes, when TLS 1.3 is chosen.
  public internal(set) var curvesOfTLS13: CurveSet = []
  /// The same for TLS 1.2.
  public internal(set) var curvesOfTLS12: CurveSet = []
  /// Whether it asks for an OCSP response.
  public internal(set) var wantsStaple = false
  /// The latest version it offers, 0x0304 for TLS 1.3.
  public internal(set) var versionMax: UInt16 = 0
  /// Bytes of the message with the headers of its records.
  public internal(set) var recordBytes = 0

  public var offersTLS13: Bool { versionMax >= 0x0304 }

  /// Curves of ECDSA certificates that fit a server that allows versions up to `serverVersionMax`.
  public func ecdsaCurves(serverVersionMax: UInt16) -> CurveSet {
    offersTLS13 && serverVersionMax >= 0x0304 ? curvesOfTLS13 : curvesOfTLS12
  }

  /// Reads a hello from the beginning of a connection.
  ///
  /// - Parameter bytes: All that has come so far.
  /// - Parameter limit: Most bytes to wait for, record headers included.
  /// - Parameter scratch: Room for `limit` bytes, where a message over several records is put together.
  public static func parse(
    _ bytes: ByteView, limit: Int, scratch: UnsafeMutablePointer<UInt8>
  ) -> Outcome {
    switch HelloRecords.gather(bytes, limit: limit, scratch: scratch) {
    case .needMore: return .needMore
    case .notTLS: return .notTLS(PlainGuess(bytes))
    case .malformed: return .malformed
    case .tooLarge: return .tooLarge
    case .complete(let body, let recordBytes):
      var hello = ClientHello()
      hello.recordBytes = recordBytes
      return hello.read(body) ? .complete(hello) : .malformed
    }
  }
}
