import Glibc
public import LoadBase
public import Primitives

/// How long an answer is held back, drawn anew for each.
public enum DelayDistribution: Sendable, Equatable {
  case none
  /// Nanoseconds, as all below.
  case fixed(UInt64)
  case uniform(UInt64, UInt64)
  case exponential(mean: UInt64)
  /// Cut off at 0.
  case normal(mean: UInt64, deviation: UInt64)
  /// Heavy-tailed: `least / u^(1/shape)`; the mean is infinite for shapes up to 1.
  case pareto(least: UInt64, shape: Double)

  /// No draw is longer: one minute, so that a heavy tail stays within reason.
  public static let longest: UInt64 = 60_000_000_000

  /// `10ms`, `uniform:1ms-20ms`, `exponential:10ms`, `normal:10ms,2ms`, `pareto:1ms,1.5`.
  public init(_ text: String) throws(UsageError) {
    func time(_ part: Substring) throws(UsageError) -> UInt64 {
      let value = try Quantity.nanoseconds(String(part), option: "--delay \(text):")
      guard value <= Self.longest else {
        throw UsageError("--delay \(text): at most one minute")
      }
      return value
    }
    guard let colon = text.firstIndex(of: ":") else {
      let value = try time(text[...])
      self = value == 0 ? .none : .fixed(value)
      return
    }
    let name = text[..<colon]
    let rest = String(text[text.index(after: colon)...])
    let parts = rest.split(separator: ",")
    switch (name, parts.count) {
    case ("uniform", 1):
      let (low, high) = Quantity.range(rest)
      let (from, to) = (try time(low[...]), try time(high[...]))
      guard from <= to else { throw UsageError("--delay \(text): the shorter delay comes first") }
      self = .uniform(from, to)
    case ("exponential", 1): self = .exponential(mean: try time(parts[0]))
    case ("normal", 2): self = .normal(mean: try time(parts[0]), deviation: try time(parts[1]))
    case ("pareto", 2):
      guard let shape = Double(parts[1]), shape > 0, shape <= 100 else {
        throw UsageError("--delay \(text): '\(parts[1])' is no shape, expected a number above 0")
      }
      self = .pareto(least: try time(parts[0]), shape: shape)
    default:
      throw UsageError(
        "--delay \(text): expected 10ms, uniform:1ms-20ms, exponential:10ms, normal:10ms,2ms or"
          + " pareto:1ms,1.5")
    }
  }

  /// Nanoseconds, at most ``longest``.
  public func draw(_ random: inout FastRandom) -> UInt64 {
    func unit() -> Double { Double(random.next() >> 11) * 0x1p-53 }
    let value: Double
    switch self {
    case .none: return 0
    case .fixed(let delay): return delay
    case .uniform(let from, let to): value = Double(from) + unit() * Double(to - from)
    case .exponential(let mean): value = -log(1 - unit()) * Double(mean)
    case .normal(let mean, let deviation):
      // Box and Muller's method; the second number is not kept.
      let radius = (-2 * log(1 - unit())).squareRoot()
      value = Double(mean) + radius * cos(2 * Double.pi * unit()) * Double(deviation)
    case .pareto(let least, let shape): value = Double(least) / pow(1 - unit(), 1 / shape)
    }
    return UInt64(min(max(value, 0), Double(Self.longest)))
  }
}
