/// Shares for people.
enum PercentText {
  /// - Parameter percent: 0...100
  /// - Returns: With two digits behind the point at most, and none that are 0 at the end.
  static func text(_ percent: Double) -> String {
    let hundredths = UInt64((percent * 100).rounded())
    let (whole, part) = (hundredths / 100, hundredths % 100)
    if part == 0 { return "\(whole)" }
    return part % 10 == 0 ? "\(whole).\(part / 10)" : "\(whole).\(part < 10 ? "0" : "")\(part)"
  }
}
