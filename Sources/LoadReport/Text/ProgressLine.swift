/// One line about a run that is going on: rewritten in place on a terminal, one after the other when piped.
public struct ProgressLine: Sendable {
  /// What the run ends at.
  public enum Limit: Sendable, Equatable {
    case duration(nanoseconds: UInt64)
    case requests(UInt64)
  }

  /// Columns of the terminal; nil when the output is not one.
  private let columns: Int?
  private let limit: Limit
  private let style: TextStyle

  public init(columns: Int?, limit: Limit, style: TextStyle) {
    self.columns = columns
    self.limit = limit
    self.style = style
  }

  /// - Parameters:
  ///   - interval: the last slice.
  ///   - elapsedNanoseconds: since the start of the measured part.
  ///   - completed: requests that came to an end so far.
  ///   - errors: failed requests so far.
  public func text(
    _ interval: Interval, elapsedNanoseconds: UInt64, completed: UInt64, errors: UInt64
  ) -> String {
    var parts = [progress(elapsedNanoseconds, completed), rate(interval)]
    parts.append(
      interval.requests == 0 ? "no answers" : "p99 \(DurationText.latency(interval.latency.p99, style))")
    parts.append(errors == 0 ? "no errors" : RunDescription.counted(errors, "error").uppercased())
    return shown(parts.joined(separator: "  "))
  }

  /// While the run warms up.
  public func warmUp(elapsedNanoseconds: UInt64, ofNanoseconds: UInt64) -> String {
    shown(
      "warming up  \(DurationText.clock(elapsedNanoseconds)) of \(DurationText.clock(ofNanoseconds))")
  }

  /// To be written when the run is over, before anything else.
  public var end: String { columns == nil ? "" : "\r\u{1B}[K" }

  private func progress(_ elapsed: UInt64, _ completed: UInt64) -> String {
    switch limit {
    case .duration(let total):
      let left = total > elapsed ? total - elapsed : 0
      return "\(DurationText.clock(elapsed)), \(DurationText.clock(left)) left"
    case .requests(let total):
      return "\(DurationText.clock(elapsed)), "
        + "\(NumberText.grouped(completed)) of \(NumberText.grouped(total)) requests"
    }
  }

  private func rate(_ interval: Interval) -> String {
    let achieved = "\(NumberText.rate(interval.achievedRate))/s"
    guard let intended = interval.intendedRate else { return achieved }
    return "\(achieved) of \(NumberText.rate(intended))/s"
  }

  /// A line that wraps could not be rewritten, so it is cut.
  private func shown(_ line: String) -> String {
    guard let columns else { return line + "\n" }
    return "\r" + line.prefix(max(0, columns - 1)) + "\u{1B}[K"
  }
}
