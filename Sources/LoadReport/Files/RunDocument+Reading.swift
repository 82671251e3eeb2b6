extension RunDocument {
  /// The run that this document says. Derived keys are not read: they follow from the others.
  /// - Throws: ``RunFileError`` when a value makes no sense.
  func run() throws(RunFileError) -> RunResult {
    guard format == Self.currentFormat else {
      throw RunFileError(place: "format", problem: "must be \"\(Self.currentFormat)\"")
    }
    var run = RunResult(
      label: label, target: target, mode: try mode.mode(), connections: connections,
      threads: threads, startUnixSeconds: startUnixS, durationNanoseconds: durationNs,
      warmUpNanoseconds: warmUpNs)
    run.command = command
    run.protocolName = `protocol` ?? ""
    run.pipelining = pipelining
    run.streams = streams ?? 1
    run.tally = try tally()
    run.latency = try latency.histogram(at: "latency")
    run.serviceTime = try serviceTime?.histogram(at: "service_time") ?? LatencyHistogram()
    run.scheduleError = try scheduleError?.histogram(at: "schedule_error") ?? LatencyHistogram()
    if let tls {
      run.tally.tls = try tls.counts()
      run.handshakeTime = try tls.handshakeTime.histogram(at: "tls.handshake_time")
    }
    run.cpuNanoseconds = cpu.totalNs
    run.busiestThreadNanoseconds = cpu.busiestThreadNs
    run.intervals = intervals.map(\.interval)
    for (index, step) in steps.enumerated() { run.steps.append(try step.step(at: "steps[\(index)]")) }
    try RunLimits.check(run)
    return run
  }

  private func tally() throws(RunFileError) -> Tally {
    var tally = Tally()
    tally.requestsSent = totals.requestsSent
    tally.requestsUnsent = totals.requestsUnsent
    tally.responses = totals.responses
    tally.successes = totals.successes
    tally.bytesRead = totals.bytesRead
    tally.bytesWritten = totals.bytesWritten
    tally.connectionsOpened = totals.connectionsOpened
    tally.waitedForConnection = totals.waitedForConnection
    tally.statuses = try Self.counts(statuses, at: "statuses")
    tally.grpcStatuses = try Self.counts(grpcStatuses ?? [:], at: "grpc_statuses")
    for (name, count) in errors {
      guard let kind = ErrorKind(name: name) else {
        throw RunFileError(place: "errors", problem: "\"\(name)\" is not a kind of error")
      }
      try RunLimits.check(count, at: "errors")
      tally.errors.add(kind, count)
    }
    return tally
  }

  private static func counts(
    _ statuses: [String: UInt64], at place: String
  ) throws(RunFileError) -> StatusCounts {
    var counts = StatusCounts()
    for (text, count) in statuses {
      guard let code = Int(text), (0..<StatusCounts.codeLimit).contains(code) else {
        throw RunFileError(place: place, problem: "\"\(text)\" is not a status code")
      }
      try RunLimits.check(count, at: place)
      counts.add(code, count)
    }
    return counts
  }
}

extension RunDocument.TLS {
  func counts() throws(RunFileError) -> TLSCounts {
    var counts = TLSCounts()
    try RunLimits.check(handshakes, at: "tls.handshakes")
    try RunLimits.check(resumed, at: "tls.resumed")
    for count in agreed.values { try RunLimits.check(count, at: "tls.agreed") }
    counts.handshakes = handshakes
    counts.resumed = resumed
    counts.agreed = agreed
    return counts
  }
}

extension RunDocument.Mode {
  func mode() throws(RunFileError) -> LoadMode {
    if kind == "closed" { return .closed }
    guard kind == "open" else {
      throw RunFileError(place: "mode.kind", problem: "must be \"closed\" or \"open\"")
    }
    guard let arrivals = arrivals.flatMap(LoadMode.Arrivals.init(rawValue:)) else {
      throw RunFileError(place: "mode.arrivals", problem: "must be \"constant\" or \"poisson\"")
    }
    guard let first = firstRate, let last = lastRate, first >= 0, last >= 0 else {
      throw RunFileError(place: "mode", problem: "needs first_rate and last_rate")
    }
    return .open(arrivals: arrivals, first: first, last: last)
  }
}

extension RunDocument.Latency {
  func histogram(at place: String) throws(RunFileError) -> LatencyHistogram {
    var histogram = LatencyHistogram()
    var sum = 0.0
    for (index, pair) in buckets.enumerated() {
      guard pair.count == 2, pair[0] <= HDRLayout.longest, pair[1] > 0,
        histogram.isEmpty || pair[0] > histogram.max
      else {
        throw RunFileError(
          place: "\(place).buckets[\(index)]",
          problem: "must be a pair of nanoseconds and a count, in ascending order")
      }
      try RunLimits.check(pair[1], at: "\(place).buckets[\(index)]")
      sum += Double(pair[0]) * Double(pair[1])
      histogram.record(nanoseconds: pair[0], count: pair[1])
    }
    // The sum of all durations of a real run fits 62 bits: all connections together waited less than 146 years.
    guard sum < 0x1p62, histogram.count == count else {
      throw RunFileError(place: place, problem: "count and buckets do not fit together")
    }
    guard histogram.isEmpty || histogram.setExtremes(shortest: minNs, longest: maxNs) else {
      throw RunFileError(place: place, problem: "min_ns and max_ns lie outside of the buckets")
    }
    return histogram
  }
}

extension RunDocument.Interval {
  var interval: Interval {
    var latency = LatencySummary()
    latency.p50 = p50Ns
    latency.p90 = p90Ns
    latency.p99 = p99Ns
    latency.p999 = p999Ns
    latency.max = maxNs
    return Interval(
      startNanoseconds: startNs, durationNanoseconds: durationNs, requests: requests,
      errors: errors, latency: latency, intendedRate: intendedRate)
  }
}

extension RunDocument.Step {
  func step(at place: String) throws(RunFileError) -> Step {
    var latency = LatencySummary()
    latency.p50 = p50Ns
    latency.p90 = p90Ns
    latency.p99 = p99Ns
    latency.p999 = p999Ns
    latency.max = maxNs
    let failure = failure.flatMap(Step.Failure.init(rawValue:))
    guard sustained == (failure == nil) else {
      throw RunFileError(place: place, problem: "failure must say why when sustained is false")
    }
    return Step(
      startNanoseconds: startNs, durationNanoseconds: durationNs, intendedRate: intendedRate,
      requests: requests, errors: errors, latency: latency, failure: failure)
  }
}
