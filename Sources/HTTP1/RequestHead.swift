import HTTPCore
import Primitives

/// A parsed request head: offsets into its bytes and what its fields mean for the connection.
/// The fields themselves are in the ``FieldTable``.
@frozen
public struct RequestHead {
  /// The form of a request target (RFC 9112 section 3.2).
  public enum TargetForm: UInt8, Sendable {
    /// `/path?query`
    case origin
    /// `http://authority/path?query`
    case absolute
    /// `host:port`, with CONNECT only.
    case authority
    /// `*`, with OPTIONS only.
    case asterisk
  }

  public enum Scheme: UInt8, Sendable {
    /// Not in the target.
    case none
    case http, https
  }

  /// Bytes of the head, with a skipped leading empty line.
  public var length: UInt32 = 0
  public var methodStart: UInt32 = 0
  public var methodLength: UInt32 = 0
  public var targetStart: UInt32 = 0
  public var targetLength: UInt32 = 0
  /// Where path and query are; empty (length 0) when the absolute form has neither.
  public var pathStart: UInt32 = 0
  public var pathLength: UInt32 = 0
  /// The authority: of the target when it has one, else of Host; length 0 when there is none.
  public var authorityStart: UInt32 = 0
  public var authorityLength: UInt32 = 0
  public var framing: BodyFraming = .none
  public var form: TargetForm = .origin
  public var method: RequestMethod = .other
  public var scheme: Scheme = .none
  /// HTTP/1.0; otherwise HTTP/1.1 (or a higher minor version, which is treated alike).
  public var isHTTP10: Bool = false
  /// Whether the client lets the connection live after this request (RFC 9112 section 9.3).
  public var keepAlive: Bool = true
  /// `Expect: 100-continue` in HTTP/1.1.
  public var expectContinue: Bool = false
  /// `Connection: upgrade` with an Upgrade field, in HTTP/1.1.
  public var isUpgrade: Bool = false
  /// Connection named further fields; they are left out of the header map.
  public var hasConnectionNominations: Bool = false

  @inlinable @inline(__always)
  public init() {}

  @inlinable
  public func method(in head: ByteView) -> ByteView {
    ByteView(head.base + Int(methodStart), Int(methodLength))
  }

  @inlinable
  public func target(in head: ByteView) -> ByteView {
    ByteView(head.base + Int(targetStart), Int(targetLength))
  }

  @inlinable
  public func authority(in head: ByteView) -> ByteView {
    ByteView(head.base + Int(authorityStart), Int(authorityLength))
  }
}
