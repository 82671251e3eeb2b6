import HTTPCore
import Primitives

/// What the Connection fields of one head say (RFC 9110 section 7.6.1).
struct ConnectionOptions {
  var close = false
  var keepAlive = false
  var upgrade = false
  /// Fields it names, to be removed; names that are never forwarded anyway are not counted.
  var nominationCount = 0

  /// More nominations than this are refused, as Envoy does: each costs a search.
  static let nominationCountMax = 10

  /// Takes one Connection field's value.
  ///
  /// - Returns: False when an option is no token, or there are too many nominations.
  mutating func add(_ value: ByteView) -> Bool {
    // The two that nearly every message has.
    if value.count == 10, value.equalsIgnoringCase("keep-alive") {
      keepAlive = true
      return true
    }
    if value.count == 5, value.equalsIgnoringCase("close") {
      close = true
      return true
    }
    var valid = true
    value.forEachListElement { element in
      if element.equalsIgnoringCase("close") {
        close = true
      } else if element.equalsIgnoringCase("keep-alive") {
        keepAlive = true
      } else if element.equalsIgnoringCase("upgrade") {
        upgrade = true
      } else if element.equalsIgnoringCase("te") {
        // TE has its own rule: `trailers` is kept.
      } else {
        nominationCount += 1
        valid = nominationCount <= Self.nominationCountMax && MessageRules.isValidName(element)
      }
      return valid
    }
    return valid
  }

  /// Marks the fields of `table` that the Connection field `value` nominates.
  ///
  /// - Returns: False when it nominates a field that says who the request is for, how long it is
  ///   or where it came from: removing those would change the request's meaning.
  static func markNominated(
    by value: ByteView, in table: inout FieldTable, head: UnsafePointer<UInt8>
  ) -> Bool {
    var allowed = true
    value.forEachListElement { element in
      if element.equalsIgnoringCase("te") || element.equalsIgnoringCase("upgrade") { return true }
      let known = table.knownHeaders.find(element)
      if isProtected(known) {
        allowed = false
        return false
      }
      var i = 0
      while i < table.count {
        let field = table.fields[i]
        let name = ByteView(head + Int(field.nameStart), Int(field.nameLength))
        if field.known == known, known != .other || name.equalsIgnoringCase(element) {
          table.fields[i].flags.insert(.dropped)
        }
        i &+= 1
      }
      return true
    }
    return allowed
  }

  private static func isProtected(_ known: KnownHeader) -> Bool {
    switch known {
    case .host, .contentLength, .transferEncoding, .xForwardedFor, .xForwardedProto,
      .xForwardedHost, .xForwardedPort, .xForwardedClientCert, .xRequestID, .via:
      true
    default: known.rawValue >= KnownHeader.envoyInternal.rawValue
    }
  }
}
