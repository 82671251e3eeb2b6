import Glibc

/// Success rates, in percent, as Envoy writes them: -1 where there were too few requests. A threshold may be negative.
enum RateText {
  /// Six digits that count: a cluster's.
  static func rounded(_ rate: Double?) -> String {
    guard let rate, rate != 0, rate.isFinite else { return exact(rate) }
    // A power of ten this small is exact, so that only the division rounds.
    let scale = pow(10, min(22, 5 - log10(abs(rate)).rounded(.down)))
    return exact((rate * scale).rounded() / scale)
  }

  /// All digits: a host's, and in JSON.
  static func exact(_ rate: Double?) -> String {
    guard let rate else { return "-1" }
    let text = "\(rate)"
    return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
  }
}
