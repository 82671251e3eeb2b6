import Primitives

/// What the parts of a message may be made of, whatever the version of HTTP: for codecs, for
/// configuration, and for whatever did not come through a parser. The writers do not look.
public enum MessageRules {
  /// The longest method accepted, in bytes. Registered methods have at most 17.
  public static let methodBytesMax = 32

  /// A token (RFC 9110 section 5.1), not empty.
  public static func isValidName(_ name: ByteView) -> Bool {
    var i = 0
    while i < name.count {
      if !ASCII.isToken(name.base[i]) { return false }
      i &+= 1
    }
    return !name.isEmpty
  }

  /// No control character but tab, and no white space at either end (RFC 9110 section 5.5); bytes
  /// from 0x80 on are allowed.
  public static func isValidValue(_ value: ByteView) -> Bool {
    var at = ValueByte.scan(value.base, 0, value.count)
    while at < value.count, value.base[at] == 9 {
      at = ValueByte.scan(value.base, at &+ 1, value.count)
    }
    return at == value.count && value.trimmed().count == value.count
  }

  /// A token (RFC 9110 section 9.1) of at most ``methodBytesMax`` bytes.
  public static func isValidMethod(_ method: ByteView) -> Bool {
    method.count <= methodBytesMax && isValidName(method)
  }

  /// Visible ASCII without `#`, not empty: what a request target may hold (RFC 9112 section 3.2,
  /// RFC 9113 section 8.3.1). Its form is the caller's to look at.
  @inlinable @inline(__always)
  public static func isValidTarget(_ target: ByteView) -> Bool {
    !target.isEmpty && TargetByte.scan(target.base, 0, target.count) == target.count
  }

  /// A host with an optional port, without user information (RFC 9110 section 7.2,
  /// RFC 9113 section 8.3.1).
  @inlinable @inline(__always)
  public static func isValidAuthority(
    _ authority: ByteView, port: Authority.Port = .optional
  ) -> Bool {
    Authority.isValid(
      authority.base, 0, authority.count, readable: authority.count, port: port)
  }
}
