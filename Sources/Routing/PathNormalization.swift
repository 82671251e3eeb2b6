import Primitives

/// What to do with %2F and %5C in a path (Envoy's path_with_escaped_slashes_action).
public enum EscapedSlashesAction: UInt8, Sendable, BitwiseCopyable {
  case keepUnchanged, rejectRequest, unescapeAndRedirect, unescapeAndForward
}

/// Rewrites `:path` before anything matches on it (RFC 3986 section 6.2.2), as the HTTP
/// connection manager's options say. A trivial value.
public struct PathNormalization: Sendable, BitwiseCopyable {
  public var normalizesPath: Bool
  public var mergesSlashes: Bool
  public var escapedSlashes: EscapedSlashesAction

  public init(
    normalizesPath: Bool = false, mergesSlashes: Bool = false,
    escapedSlashes: EscapedSlashesAction = .keepUnchanged
  ) {
    self.normalizesPath = normalizesPath
    self.mergesSlashes = mergesSlashes
    self.escapedSlashes = escapedSlashes
  }

  public enum Result {
    /// Continue with this path; the same view when nothing changed.
    case path(ByteView)
    /// Answer 307 with this location.
    case redirect(ByteView)
    /// Answer 400.
    case reject
  }

  @inlinable
  public var isIdle: Bool {
    !normalizesPath && !mergesSlashes && escapedSlashes == .keepUnchanged
  }

  /// - Parameter target: Path with query; the query is never touched.
  public func apply(_ target: ByteView, arena: inout Arena) -> Result {
    if isIdle { return .path(target) }
    let pathCount = target.firstIndex(of: UInt8(ascii: "?")) ?? target.count
    let original = target.prefix(pathCount)
    let query = target.dropFirst(pathCount)
    var path = original
    var mustRedirect = false
    if escapedSlashes != .keepUnchanged, Self.hasEscapedSlash(path) {
      if escapedSlashes == .rejectRequest { return .reject }
      mustRedirect = escapedSlashes == .unescapeAndRedirect
      path = Self.unescapeSlashes(path, &arena)
    }
    if normalizesPath {
      guard let normal = Self.normalize(path, &arena) else { return .reject }
      path = normal
    }
    if mergesSlashes { path = Self.mergeSlashes(path, &arena) }
    if path.base == original.base, path.count == original.count { return .path(target) }
    let whole = arena.allocate(path.count + query.count)
    whole.update(from: path.base, count: path.count)
    (whole + path.count).update(from: query.base, count: query.count)
    let result = ByteView(whole, path.count + query.count)
    return mustRedirect ? .redirect(result) : .path(result)
  }

  // MARK: Steps

  /// The byte of a `%XX` at `at`, if one stands there.
  private static func escaped(_ path: ByteView, _ at: Int) -> UInt8? {
    guard path.count - at > 2, path[at] == UInt8(ascii: "%"),
      let high = ASCII.hexValue(path[at + 1]), let low = ASCII.hexValue(path[at + 2])
    else { return nil }
    return high << 4 | low
  }

  static func hasEscapedSlash(_ path: ByteView) -> Bool {
    var rest = path
    while let mark = rest.firstIndex(of: UInt8(ascii: "%")) {
      let byte = escaped(rest, mark)
      if byte == UInt8(ascii: "/") || byte == UInt8(ascii: "\\") { return true }
      rest = rest.dropFirst(mark + 1)
    }
    return false
  }

  static func unescapeSlashes(_ path: ByteView, _ arena: inout Arena) -> ByteView {
    let target = arena.allocate(path.count)
    var count = 0
    var at = 0
    while at < path.count {
      let byte = escaped(path, at)
      if let byte, byte == UInt8(ascii: "/") || byte == UInt8(ascii: "\\") {
        target[count] = byte
        at += 3
      } else {
        target[count] = path[at]
        at += 1
      }
      count += 1
    }
    return ByteView(target, count)
  }

  /// Runs of slashes become one. A path of two or more slashes alone becomes `//`, as in Envoy.
  static func mergeSlashes(_ path: ByteView, _ arena: inout Arena) -> ByteView {
    guard path.contains(ByteView("//")) else { return path }
    let target = arena.allocate(path.count)
    var count = 0
    for i in 0..<path.count {
      if path[i] == UInt8(ascii: "/"), count > 0, target[count - 1] == UInt8(ascii: "/") {
        continue
      }
      target[count] = path[i]
      count += 1
    }
    return count == 1 ? path.prefix(2) : ByteView(target, count)
  }

  /// Dot segments removed, backslashes turned, escapes of unreserved characters undone, what may
  /// not stand in a path escaped. Nil for an escaped NUL, a fragment, or a path without a slash.
  static func normalize(_ path: ByteView, _ arena: inout Arena) -> ByteView? {
    guard path.count > 0, path[0] == UInt8(ascii: "/") || path[0] == UInt8(ascii: "\\") else {
      return nil
    }
    if isNormal(path) { return path }
    guard path.count <= Int.max / 4 else { return nil }
    let target = arena.allocate(path.count * 3)
    target[0] = UInt8(ascii: "/")
    var count = 1
    var at = 1
    while at < path.count {
      // `count` stands behind a slash here
      if let (length, depth) = dotSegment(path, at) {
        at += length
        if depth == 2, count > 1 {
          count -= 1
          while target[count - 1] != UInt8(ascii: "/") { count -= 1 }
        }
        if at < path.count { at += 1 }  // the slash behind the segment goes too
        continue
      }
      while at < path.count {
        let byte = path[at]
        if byte == UInt8(ascii: "/") || byte == UInt8(ascii: "\\") {
          target[count] = UInt8(ascii: "/")
          count += 1
          at += 1
          break
        }
        if byte == UInt8(ascii: "#") { return nil }
        if let plain = escaped(path, at) {
          if plain == 0 { return nil }
          if isUnreserved(plain) {
            target[count] = plain
            count += 1
          } else {
            (target + count).update(from: path.base + at, count: 3)
            count += 3
          }
          at += 3
          continue
        }
        if mustEscape(byte) {
          target[count] = UInt8(ascii: "%")
          target[count + 1] = hex(byte >> 4)
          target[count + 2] = hex(byte & 15)
          count += 3
        } else {
          target[count] = byte
          count += 1
        }
        at += 1
      }
    }
    return ByteView(target, count)
  }

  /// Whether ``normalize`` would change nothing: the usual case, decided without copying.
  private static func isNormal(_ path: ByteView) -> Bool {
    var previous: UInt8 = 0
    for i in 0..<path.count {
      let byte = path.base[i]
      if byte == UInt8(ascii: "%") || byte == UInt8(ascii: "\\") || byte == UInt8(ascii: "#")
        || mustEscape(byte)
      {
        return false
      }
      if byte == UInt8(ascii: "."), previous == UInt8(ascii: "/") { return false }
      previous = byte
    }
    return path[0] == UInt8(ascii: "/")
  }

  /// The length of a segment `.` or `..` at `at` and how many dots it has. Dots may be escaped;
  /// a segment of plain dots may carry parameters (`..;x`), which servers behind us may ignore.
  private static func dotSegment(_ path: ByteView, _ at: Int) -> (length: Int, dots: Int)? {
    var next = at
    var dots = 0
    var isPlain = true
    while next < path.count, dots < 3 {
      if path[next] == UInt8(ascii: ".") {
        next += 1
      } else if escaped(path, next) == UInt8(ascii: ".") {
        next += 3
        isPlain = false
      } else {
        break
      }
      dots += 1
    }
    guard dots == 1 || dots == 2 else { return nil }
    if next < path.count, path[next] == UInt8(ascii: ";"), isPlain {
      while next < path.count, path[next] != UInt8(ascii: "/"), path[next] != UInt8(ascii: "\\") {
        next += 1
      }
    }
    guard
      next == path.count || path[next] == UInt8(ascii: "/") || path[next] == UInt8(ascii: "\\")
    else { return nil }
    return (next - at, dots)
  }

  private static func isUnreserved(_ byte: UInt8) -> Bool {
    ASCII.isAlpha(byte) || ASCII.isDigit(byte) || byte == 45 || byte == 46 || byte == 95
      || byte == 126
  }

  private static func mustEscape(_ byte: UInt8) -> Bool {
    if byte <= 0x20 || byte >= 0x7F { return true }
    switch byte {
    case 0x22, 0x3C, 0x3E, 0x5E, 0x60, 0x7B, 0x7C, 0x7D: return true  // " < > ^ ` { | }
    default: return false
    }
  }

  private static func hex(_ nibble: UInt8) -> UInt8 { nibble < 10 ? 48 &+ nibble : 55 &+ nibble }
}
