import HTTPCore
import Primitives

extension HTTP1RequestParser {
  /// Fills `map` from a head just parsed: `:method`, `:path`, `:authority`, `:scheme` (only when the
  /// target names one), then the fields in order without those of the connection alone.
  ///
  /// Host becomes `:authority` unless the target has its own. CONNECT has no `:path`. Names of
  /// unknown fields are turned into lower case in the copy; known ones point to immortal memory.
  /// - Parameters:
  ///   - copied: A copy of the head's bytes, as long as the map's arena; written to.
  ///   - table: As the parse left it.
  ///   - keepUpgrade: Keep Upgrade fields, for an upgrade that was accepted.
  @inline(never)
  public static func build(
    _ head: borrowing RequestHead, copied: UnsafeMutablePointer<UInt8>, table: borrowing FieldTable,
    keepUpgrade: Bool, into map: inout HeaderMap
  ) {
    let bytes = ByteView(copied, Int(head.length))
    map.append(.method, head.method(in: bytes))
    if head.form == .origin {
      map.append(.path, ByteView(copied + Int(head.pathStart), Int(head.pathLength)))
      if head.authorityLength > 0 { map.append(.authority, head.authority(in: bytes)) }
    } else {
      buildUnusualTarget(head, copied, &map)
    }
    FieldBuilder.append(table, copied, keepUpgrade: keepUpgrade, &map)
  }

  @inline(never)
  private static func buildUnusualTarget(
    _ head: borrowing RequestHead, _ copied: UnsafeMutablePointer<UInt8>, _ map: inout HeaderMap
  ) {
    var authority = ByteView(copied + Int(head.authorityStart), Int(head.authorityLength))
    var path = ByteView(copied + Int(head.pathStart), Int(head.pathLength))
    if head.form == .absolute {
      if path.isEmpty {
        // RFC 9112 section 3.2.4 for OPTIONS, section 3.2.1 for the rest.
        path = head.method == .options ? ByteView("*") : ByteView("/")
      } else if path.base[0] == 63 {
        // "http://host?query": the slash before the host makes room for one before the query.
        let start = copied + Int(head.authorityStart)
        (start - 1).update(from: start, count: authority.count)
        authority = ByteView(start - 1, authority.count)
        (start + (authority.count - 1)).pointee = 47
        path = ByteView(path.base - 1, path.count + 1)
      }
    }
    if head.form != .authority { map.append(.path, path) }
    if !authority.isEmpty { map.append(.authority, authority) }
    switch head.scheme {
    case .none: break
    case .http: map.append(.scheme, ByteView("http"))
    case .https: map.append(.scheme, ByteView("https"))
    }
  }
}
