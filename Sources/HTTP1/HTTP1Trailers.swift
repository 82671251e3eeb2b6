import HTTPCore
import Primitives

/// Trailer sections (RFC 9112 section 7.1.2).
public enum HTTP1Trailers {
  /// - Parameter bytes: A whole section with its empty line, as ``ChunkedDecoder`` hands it out.
  /// - Returns: Nil when `table` holds the fields; else why not.
  public static func parse(
    _ bytes: ByteView, limits: HTTP1Limits, table: inout FieldTable
  ) -> HTTP1Error? {
    guard bytes.count <= Int(limits.trailerBytesMax) else { return .badTrailer }
    let step = FieldSectionParser.parse(
      bytes.base, 0, bytes.count, fieldCountMax: limits.fieldCountMax, &table)
    return step.raw == bytes.count ? nil : .badTrailer
  }

  /// Appends the fields of a section just parsed to `map`, without those that have no place in
  /// trailers (RFC 9110 section 6.5.1): framing, routing, authentication, request modifiers,
  /// response control, and what tells how to process the content.
  /// - Parameter copied: A copy of the section, as long as the map's arena; written to.
  public static func build(
    copied: UnsafeMutablePointer<UInt8>, table: inout FieldTable, into map: inout HeaderMap
  ) {
    for i in 0..<table.count {
      let field = table.fields[i]
      let name = ByteView(copied + Int(field.nameStart), Int(field.nameLength))
      if isForbidden(field.known, name) { table.fields[i].flags.insert(.dropped) }
    }
    FieldBuilder.append(table, copied, keepUpgrade: false, &map)
  }

  static func isForbidden(_ known: KnownHeader, _ name: ByteView) -> Bool {
    switch known {
    case .other: return forbiddenNames.contains { name.equalsIgnoringCase($0) }
    case .contentLength, .transferEncoding, .connection, .keepAlive, .proxyConnection, .upgrade,
      .te, .trailer, .expect, .host, .authorization, .cookie, .setCookie, .contentType,
      .contentEncoding, .cacheControl, .range, .location, .vary, .age, .date, .retryAfter,
      .xForwardedFor, .xForwardedProto, .xForwardedHost, .xForwardedPort, .xForwardedClientCert,
      .xRequestID:
      return true
    default: return known.rawValue >= KnownHeader.envoyInternal.rawValue
    }
  }

  private static let forbiddenNames: [StaticString] = [
    "content-range", "expires", "if-match", "if-modified-since", "if-none-match", "if-range",
    "if-unmodified-since", "max-forwards", "pragma", "proxy-authenticate", "proxy-authorization",
    "warning", "www-authenticate",
  ]
}
