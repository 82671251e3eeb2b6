import Primitives

/// The TE field (RFC 9110 section 10.1.4).
enum TransferCoding {
  /// Whether `trailers` is among the codings.
  static func acceptsTrailers(_ value: ByteView) -> Bool {
    var found = false
    value.forEachListElement { element in
      var name = element
      if let semicolon = element.firstIndex(of: 59) { name = element.prefix(semicolon).trimmed() }
      found = name.equalsIgnoringCase("trailers")
      return !found
    }
    return found
  }
}
