/// Milliseconds with three digits behind the point at most, and none that say nothing: `12.5`.
public struct MillisecondText: CustomStringConvertible {
  private let microseconds: UInt64

  public init(_ milliseconds: Double) {
    microseconds = UInt64(exactly: (max(0, milliseconds) * 1000).rounded()) ?? .max
  }

  public var description: String {
    var digits = String(microseconds % 1000 + 1000).dropFirst()
    while digits.last == "0" { digits.removeLast() }
    return digits.isEmpty ? "\(microseconds / 1000)" : "\(microseconds / 1000).\(digits)"
  }
}
