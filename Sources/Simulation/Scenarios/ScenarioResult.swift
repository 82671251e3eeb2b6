/// What came of a scenario.
public struct ScenarioResult: Sendable {
  /// A tenth of a second.
  public struct Slice: Sendable {
    /// Clients that came.
    public var arrived = 0
    /// Answers of hosts.
    public var succeeded = 0
    /// Other answers, by status.
    public var failed: [Int: Int] = [:]
    /// Clients that left without an answer.
    public var abandoned = 0
    /// Nanoseconds that answered clients had waited.
    public var waited: UInt64 = 0
    /// Requests that hosts saw, each attempt, by the host's number.
    public var attempts: [Int: Int] = [:]
    /// Hosts that were ejected, or failed their checks, at most.
    public var out = 0

    mutating func add(_ other: Slice) {
      arrived += other.arrived
      succeeded += other.succeeded
      failed.merge(other.failed, uniquingKeysWith: +)
      abandoned += other.abandoned
      waited += other.waited
      attempts.merge(other.attempts, uniquingKeysWith: +)
      out = max(out, other.out)
    }

    public var failedCount: Int { failed.values.reduce(0, +) + abandoned }
    public var attemptCount: Int { attempts.values.reduce(0, +) }

    /// The part of all attempts that these hosts saw.
    public func share(_ hosts: some Sequence<Int>) -> Double {
      let count = hosts.reduce(0) { $0 + (attempts[$1] ?? 0) }
      return attemptCount == 0 ? 0 : Double(count) / Double(attemptCount)
    }
  }

  static let sliceNanoseconds = 100 * Time.millisecond

  public internal(set) var violations: [Violation] = []
  public internal(set) var slices: [Slice] = []
  /// Final statistics by name.
  public internal(set) var values: [String: Int64] = [:]
  public internal(set) var hash: UInt64 = 0

  init(violations: [Violation] = []) { self.violations = violations }

  /// From the one second to the other.
  public subscript(from: Double, to: Double) -> Slice {
    let (first, last) = (Int((from * 10).rounded()), Int((to * 10).rounded()))
    return slices[min(first, slices.count)..<min(last, slices.count)].reduce(into: Slice()) { $0.add($1) }
  }

  public var total: Slice { self[0, Double(slices.count)] }

  /// A statistic of the cluster.
  public func cluster(_ name: String) -> Int { Int(values["cluster.hosts.\(name)"] ?? 0) }

  /// A line for each half second, for people.
  public var table: String {
    var lines = ["seconds  arrived  succeeded  failed  attempts  out  mean ms"]
    for start in stride(from: 0, to: slices.count, by: 5) {
      let slice = self[Double(start) / 10, Double(start + 5) / 10]
      let mean = slice.succeeded == 0 ? 0 : Double(slice.waited / UInt64(slice.succeeded) / 10_000) / 100
      let columns = [
        ("\(Double(start) / 10)", 7), ("\(slice.arrived)", 9), ("\(slice.succeeded)", 11), ("\(slice.failedCount)", 8),
        ("\(slice.attemptCount)", 10), ("\(slice.out)", 5), ("\(mean)", 9),
      ]
      lines.append(columns.map { String(repeating: " ", count: max(0, $0.1 - $0.0.count)) + $0.0 }.joined())
    }
    return lines.joined(separator: "\n")
  }
}
