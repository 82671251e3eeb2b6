/// What may be in the name of a metric.
enum MetricName {
  /// `:` becomes `_`, as in Envoy; so do control characters, which would break every line format.
  static func sanitized(_ name: String) -> String {
    guard name.utf8.contains(where: isForbidden) else { return name }
    return String(
      decoding: name.utf8.map { isForbidden($0) ? UInt8(ascii: "_") : $0 }, as: UTF8.self)
  }

  private static func isForbidden(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: ":") || byte < 0x20 || byte == 0x7F
  }

  /// The name of the metric's family for Prometheus: `envoy_`, and only letters, digits, `_`.
  static func prometheus(_ tagExtractedName: String) -> String {
    String(decoding: "envoy_".utf8 + prometheusLabel(tagExtractedName), as: UTF8.self)
  }

  /// Replaces what a Prometheus label's name may not hold.
  static func prometheusLabel(_ name: String) -> [UInt8] {
    name.utf8.map { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
        byte
      default: UInt8(ascii: "_")
      }
    }
  }
}
