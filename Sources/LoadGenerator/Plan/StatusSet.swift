import LoadBase

/// Lists of status codes: `200,204`, `2xx`, `200-299`.
enum StatusSet {
  static func parse(_ text: String) throws(UsageError) -> Set<Int> {
    var codes: Set<Int> = []
    for item in text.split(separator: ",", omittingEmptySubsequences: false) {
      let low: Int?
      let high: Int?
      if item.count == 3, item.hasSuffix("xx"), let hundreds = Int(item.prefix(1)) {
        (low, high) = (hundreds * 100, hundreds * 100 + 99)
      } else {
        let ends = Quantity.range(String(item))
        (low, high) = (Int(ends.low), Int(ends.high))
      }
      guard let low, let high, low >= 100, low <= high, high <= 999 else {
        throw UsageError("--expect-status \(text): expected codes, like 200,204 or 2xx")
      }
      codes.formUnion(low...high)
    }
    return codes
  }
}
