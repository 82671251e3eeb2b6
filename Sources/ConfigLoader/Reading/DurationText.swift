/// A duration as protobuf's JSON mapping writes it: seconds with up to nine fractional digits and
/// the suffix `s`.
struct DurationText: Equatable {
  let seconds: Int64
  /// Has the sign of the whole.
  let nanoseconds: Int32

  /// protobuf's own bound: 10,000 years of 365.25 days.
  static let secondsMax: Int64 = 315_576_000_000

  var isInRange: Bool {
    let magnitude = seconds.magnitude
    return magnitude < UInt64(Self.secondsMax)
      || (magnitude == UInt64(Self.secondsMax) && nanoseconds == 0)
  }

  init?(parsing text: String) {
    guard text.utf8.last == UInt8(ascii: "s") else { return nil }
    var number = text.utf8.dropLast()
    let isNegative = number.first == UInt8(ascii: "-")
    if isNegative { number = number.dropFirst() }
    let parts = number.split(
      separator: UInt8(ascii: "."), maxSplits: 1, omittingEmptySubsequences: false)
    let isDigit = { (byte: UInt8) in (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
    guard let whole = parts.first, !whole.isEmpty, whole.allSatisfy(isDigit) else { return nil }
    let fraction = parts.count > 1 ? parts[1] : Substring("").utf8[...]
    guard parts.count == 1 || (1...9).contains(fraction.count), fraction.allSatisfy(isDigit)
    else { return nil }
    let padded = String(decoding: fraction, as: UTF8.self).padded(to: 9)
    // More digits than fit are a number all the same: one that is out of range.
    let magnitude = Int64(String(decoding: whole, as: UTF8.self)) ?? .max
    seconds = isNegative ? -magnitude : magnitude
    nanoseconds = (Int32(padded) ?? 0) * (isNegative ? -1 : 1)
  }
}

extension String {
  fileprivate func padded(to length: Int) -> String {
    self + String(repeating: "0", count: max(0, length - utf8.count))
  }
}
