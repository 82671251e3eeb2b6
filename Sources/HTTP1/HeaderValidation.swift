import Primitives

/// Whether text may be a field's name or value on the wire: for configuration, and for whatever
/// did not come through a parser. The writer itself does not look.
public enum HeaderValidation {
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
}
