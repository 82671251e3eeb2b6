import Primitives

/// `uri-host [ ":" port ]` of Host and request targets (RFC 9110 section 7.2, RFC 3986 section 3.2).
public enum Authority {
  public enum Port: Sendable { case optional, required }

  /// Whether `base[start..<end]` is a host that is not empty, with an optional port up to 65535.
  ///
  /// - Parameter readable: Where the readable bytes end; at least `end`.
  @inlinable @inline(__always)
  public static func isValid(
    _ base: UnsafePointer<UInt8>, _ start: Int, _ end: Int, readable: Int, port: Port
  ) -> Bool {
    // What follows in a head is white space, a slash or a line end: the scan stops there.
    let stop = min(HostByte.scan(base, start, readable), end)
    if stop == start { return isUnusualHost(base, start, end, port: port) }
    if stop == end { return port == .optional }
    if base[stop] == 58 { return isPort(base, stop &+ 1, end, port) }
    return isUnusualHost(base, start, end, port: port)
  }

  @inlinable @inline(__always)
  static func isPort(
    _ base: UnsafePointer<UInt8>, _ start: Int, _ end: Int, _ port: Port
  ) -> Bool {
    if start == end { return port == .optional }
    if end &- start > 5 { return false }
    var number = 0
    var at = start
    while at < end {
      let digit = base[at] &- 48
      if digit > 9 { return false }
      number = number &* 10 &+ Int(digit)
      at &+= 1
    }
    return number <= 65535
  }

  /// IP literals, percent encoding and the rest of `reg-name`.
  @inline(never)
  @usableFromInline static func isUnusualHost(
    _ base: UnsafePointer<UInt8>, _ start: Int, _ end: Int, port: Port
  ) -> Bool {
    if start == end { return false }
    let hostEnd: Int
    if base[start] == 91 {
      guard let close = ByteView(base + start, end &- start).firstIndex(of: 93) else {
        return false
      }
      guard isIPLiteral(ByteView(base + (start &+ 1), close &- 1)) else { return false }
      hostEnd = start &+ close &+ 1
    } else {
      var at = start
      while at < end, base[at] != 58 {
        if base[at] == 37 {
          guard at &+ 2 < end, ASCII.hexValue(base[at &+ 1]) != nil,
            ASCII.hexValue(base[at &+ 2]) != nil
          else { return false }
          at &+= 3
        } else {
          guard isRegisteredNameByte(base[at]) else { return false }
          at &+= 1
        }
      }
      if at == start { return false }
      hostEnd = at
    }
    if hostEnd == end { return port == .optional }
    return base[hostEnd] == 58 && isPort(base, hostEnd &+ 1, end, port)
  }

  /// `unreserved` and `sub-delims` of RFC 3986.
  private static func isRegisteredNameByte(_ byte: UInt8) -> Bool {
    if ASCII.isAlpha(byte) || ASCII.isDigit(byte) { return true }
    switch byte {
    case 45, 46, 95, 126: return true  // - . _ ~
    case 33, 36, 38...44, 59, 61: return true  // ! $ & ' ( ) * + , ; =
    default: return false
    }
  }

  /// What may be in brackets: an IPv6 address with an optional zone (RFC 6874), or `IPvFuture`.
  /// The address's own rules are left to whoever resolves it.
  private static func isIPLiteral(_ view: ByteView) -> Bool {
    if view.isEmpty { return false }
    var colons = 0
    for i in 0..<view.count {
      let byte = view.base[i]
      if byte == 58 { colons += 1 }
      let fits =
        byte == 58 || byte == 46 || byte == 37 || byte == 45 || byte == 95 || byte == 126
        || ASCII.isAlpha(byte) || ASCII.isDigit(byte)
      if !fits { return false }
    }
    if ASCII.lowercase(view.base[0]) == 118 { return view.firstIndex(of: 46) != nil }
    let first = view.base[0]
    return colons >= 2 && (first == 58 || ASCII.hexValue(first) != nil)
  }
}
