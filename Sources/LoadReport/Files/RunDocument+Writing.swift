extension RunDocument {
  init(_ run: RunResult) {
    format = Self.currentFormat
    label = run.label
    target = run.target
    command = run.command
    mode = Mode(run.mode)
    connections = run.connections
    threads = run.threads
    `protocol` = run.protocolName
    pipelining = run.pipelining
    streams = run.streams
    startUnixS = run.startUnixSeconds
    durationNs = run.durationNanoseconds
    warmUpNs = run.warmUpNanoseconds
    achievedRate = run.achievedRate
    totals = Totals(run.tally)
    let statuses = run.tally.statuses.occurred
    self.statuses = Dictionary(uniqueKeysWithValues: statuses.map { ("\($0.code)", $0.count) })
    let calls = run.tally.grpcStatuses.occurred
    grpcStatuses = calls.isEmpty ? nil : Dictionary(uniqueKeysWithValues: calls.map { ("\($0.code)", $0.count) })
    let kinds = ErrorKind.allCases
    errors = Dictionary(uniqueKeysWithValues: kinds.map { ($0.name, run.tally.errors[$0]) })
    latency = Latency(run.latency)
    serviceTime = run.serviceTime.isEmpty ? nil : Latency(run.serviceTime)
    scheduleError = run.scheduleError.isEmpty ? nil : Latency(run.scheduleError)
    tls = run.tally.tls.handshakes == 0 ? nil : TLS(run)
    cpu = CPU(totalNs: run.cpuNanoseconds, busiestThreadNs: run.busiestThreadNanoseconds)
    intervals = run.intervals.map(Interval.init)
    steps = run.steps.map(Step.init)
    kneeRate = run.knee?.intendedRate
    warnings = run.warnings.map { Warning(code: $0.code.rawValue, text: $0.text) }
  }
}

extension RunDocument.Mode {
  init(_ mode: LoadMode) {
    switch mode {
    case .closed: self.init(kind: "closed")
    case .open(let arrivals, let first, let last):
      self.init(kind: "open", arrivals: arrivals.rawValue, firstRate: first, lastRate: last)
    }
  }
}

extension RunDocument.Totals {
  init(_ tally: Tally) {
    self.init(
      requestsSent: tally.requestsSent, requestsUnsent: tally.requestsUnsent,
      responses: tally.responses, successes: tally.successes,
      bytesRead: tally.bytesRead, bytesWritten: tally.bytesWritten,
      connectionsOpened: tally.connectionsOpened, waitedForConnection: tally.waitedForConnection)
  }
}

extension RunDocument.TLS {
  init(_ run: RunResult) {
    let counts = run.tally.tls
    self.init(
      handshakes: counts.handshakes, resumed: counts.resumed, agreed: counts.agreed,
      handshakeTime: RunDocument.Latency(run.handshakeTime))
  }
}

extension RunDocument.Latency {
  init(_ histogram: LatencyHistogram) {
    let percentiles = Percentiles.shown.map {
      (Percentiles.digits($0), histogram.percentile($0))
    }
    self.init(
      count: histogram.count, minNs: histogram.min, maxNs: histogram.max, meanNs: histogram.mean,
      stdevNs: histogram.standardDeviation,
      percentilesNs: Dictionary(uniqueKeysWithValues: percentiles),
      buckets: histogram.buckets.map { [$0.lowest, $0.count] })
  }
}

extension RunDocument.Interval {
  init(_ interval: Interval) {
    self.init(
      startNs: interval.startNanoseconds, durationNs: interval.durationNanoseconds,
      requests: interval.requests, errors: interval.errors, p50Ns: interval.latency.p50,
      p90Ns: interval.latency.p90, p99Ns: interval.latency.p99, p999Ns: interval.latency.p999,
      maxNs: interval.latency.max, intendedRate: interval.intendedRate,
      achievedRate: interval.achievedRate)
  }
}

extension RunDocument.Step {
  init(_ step: Step) {
    self.init(
      startNs: step.startNanoseconds, durationNs: step.durationNanoseconds,
      requests: step.requests, errors: step.errors, p50Ns: step.latency.p50,
      p90Ns: step.latency.p90, p99Ns: step.latency.p99, p999Ns: step.latency.p999,
      maxNs: step.latency.max, intendedRate: step.intendedRate, achievedRate: step.achievedRate,
      sustained: step.isSustained, failure: step.failure?.rawValue)
  }
}
