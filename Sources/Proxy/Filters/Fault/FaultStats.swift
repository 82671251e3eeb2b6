import Stats

/// `http.<stat_prefix>.fault.*`.
struct FaultStats: Sendable {
  let delaysInjected, abortsInjected, overflow: Counter
  let active: Gauge

  init(_ scope: StatsScope) {
    delaysInjected = scope.counter("fault.delays_injected")
    abortsInjected = scope.counter("fault.aborts_injected")
    overflow = scope.counter("fault.faults_overflow")
    active = scope.gauge("fault.active_faults")
  }
}
