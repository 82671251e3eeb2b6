import Primitives

/// Where a redirect leads: the parts of an absolute `http` or `https` URL (RFC 3986), without its fragment.
struct RedirectTarget {
  let isHTTPS: Bool
  let authority: ByteView
  /// With its query; empty: the URL ends behind its authority.
  let path: ByteView

  /// - Returns: Nil for anything else: what a host writes into `location` need not be a URL.
  init?(_ location: ByteView) {
    guard let colon = location.firstIndex(of: UInt8(ascii: ":")) else { return nil }
    let scheme = location.prefix(colon)
    if scheme.equalsIgnoringCase(ByteView("https")) {
      isHTTPS = true
    } else if scheme.equalsIgnoringCase(ByteView("http")) {
      isHTTPS = false
    } else {
      return nil
    }
    var rest = location.dropFirst(colon + 1)
    guard rest.count > 2, rest[0] == UInt8(ascii: "/"), rest[1] == UInt8(ascii: "/") else { return nil }
    rest = rest.dropFirst(2)
    if let fragment = rest.firstIndex(of: UInt8(ascii: "#")) { rest = rest.prefix(fragment) }
    var end = 0
    while end < rest.count, rest[end] != UInt8(ascii: "/"), rest[end] != UInt8(ascii: "?") { end += 1 }
    authority = rest.prefix(end)
    path = rest.dropFirst(end)
    guard !authority.isEmpty, Self.isAuthority(authority) else { return nil }
    for i in 0..<path.count where path[i] <= 32 || path[i] == 127 { return nil }
  }

  /// A host and perhaps a port, without anybody's name and password.
  private static func isAuthority(_ text: ByteView) -> Bool {
    for i in 0..<text.count {
      switch text[i] {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
        UInt8(ascii: "~"), UInt8(ascii: ":"), UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: "%"):
        continue
      default: return false
      }
    }
    return true
  }
}
