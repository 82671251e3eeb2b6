import ConfigCompiler
import HostHealth
import Proxy

/// One host under one check: when it is asked, and what is thought of it.
final class CheckSession {
  private enum Phase {
    /// The next check is planned, or waits for its turn.
    case idle
    /// A result is awaited.
    case underWay
  }

  unowned let host: CheckedHost
  /// Which of the cluster's checks.
  let index: Int
  var check: ActiveCheck
  var target: CheckTarget
  private(set) var state: CheckState
  private(set) var latest: (result: CheckResult, at: UInt64, tookMilliseconds: UInt64)?
  /// In the gate's list.
  var isQueued = false
  private var phase = Phase.idle
  private var begunAt: UInt64 = 0
  private var asker: (any CheckProtocol)?
  private unowned let director: HealthDirector
  /// The next check, or the end of this one.
  private lazy var task = WorkerTask { [unowned self] in due() }

  init(
    _ host: CheckedHost, _ index: Int, _ check: ActiveCheck, _ target: CheckTarget, isPending: Bool,
    _ director: HealthDirector
  ) {
    self.host = host
    self.index = index
    self.check = check
    self.target = target
    self.director = director
    state = CheckState(isPending: isPending)
  }

  private var worker: Worker { director.worker }

  // MARK: Life

  func plan(inMilliseconds wait: UInt64) {
    if wait == 0 { director.gate.due(self) } else { worker.schedule(task, inMilliseconds: wait) }
  }

  /// Nothing is asked any more.
  func stop() {
    worker.cancel(task)
    isQueued = false
    if phase == .underWay {
      asker?.cancel(worker)
      director.gate.over()
    }
    phase = .idle
    asker?.close(worker)
    asker = nil
  }

  /// Another configuration of the same check: what was learned stays, and is asked for anew. A wait that the old one has
  /// planned may be a long one.
  func replace(_ check: ActiveCheck) {
    asker?.close(worker)
    if phase == .underWay {
      asker?.cancel(worker)
      director.gate.over()
      phase = .idle
    }
    worker.cancel(task)
    asker = nil
    self.check = check
    if !isQueued { plan(inMilliseconds: director.firstWait(check)) }
  }

  private func due() {
    switch phase {
    case .idle: director.gate.due(self)
    case .underWay:
      asker?.cancel(worker)
      finish(.failed(.networkTimeout, "no answer within \(check.timeoutNanoseconds / 1_000_000) ms"))
    }
  }

  /// The gate lets it begin.
  func begin() {
    phase = .underWay
    begunAt = worker.now
    director.count(\.attempt, host)
    let asker = asker ?? CheckProtocols.make(check) { [unowned self] result in answered(result) }
    self.asker = asker
    // A little longer than whoever asks: he knows better why there is nothing.
    worker.schedule(task, inMilliseconds: check.timeoutNanoseconds / 1_000_000 + 2)
    if let result = asker.start(worker, target) { finish(result) }
  }

  private func answered(_ result: CheckResult) {
    if phase == .underWay {
      finish(result)
    } else if case .failed(let failure, _, _) = result.outcome {
      // A kept connection has ended between two checks.
      take(result) { $0.failed(failure, check.settings) }
    }
  }

  private func finish(_ result: CheckResult) {
    phase = .idle
    director.gate.over()
    latest = (result, worker.now, (worker.now - begunAt) / 1_000_000)
    if result.verifiesCluster { director.count(\.verifyCluster, host) }
    let outcome = take(result) { state in
      switch result.outcome {
      case .passed(let isDegraded): state.passed(isDegraded: isDegraded, check.settings)
      case .failed(let failure, let isRetriable, let excludes):
        state.failed(failure, isRetriable: isRetriable, excludes: excludes, check.settings)
      }
    }
    worker.cancel(task)
    // The host may have left the cluster by this very result.
    if host.isChecked { plan(inMilliseconds: director.wait(after: outcome, check.settings, host)) }
  }

  /// Something that stands for a failed check (`x-envoy-immediate-health-check-fail` in a response to a client): the
  /// check under way, or planned, stays.
  func failPassively() {
    let result = CheckResult.failed(.passive, "a response said that it fails", excludes: true)
    take(result) { $0.failed(.passive, excludes: true, check.settings) }
  }

  @discardableResult
  private func take(_ result: CheckResult, _ change: (inout CheckState) -> CheckOutcome) -> CheckOutcome {
    let outcome = change(&state)
    director.heard(self, result, outcome)
    return outcome
  }
}
