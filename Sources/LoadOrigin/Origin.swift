import CSystem
import Glibc
public import LoadBase
public import Primitives
import Reactor
import Synchronization
import TLS

/// What the threads of an origin are told.
final class OriginControl: Sendable {
  let isStopped = Atomic(false)
}

/// A server for load tests: starts with ``init(_:)``, serves on threads of its own until ``stop()``.
public final class Origin {
  /// Where it listens; the port is the real one when the plan said 0.
  public let address: SocketAddress
  private let control = OriginControl()
  private var threads: [(thread: NamedThread, remains: Remains)] = []
  private let socketPath: String?

  private final class Remains: @unchecked Sendable {
    // Sendable: written by the thread at its end, read after it was joined.
    var served: UInt64 = 0
  }

  /// - Throws: One sentence: the address cannot be had, io_uring cannot be used.
  public init(_ plan: OriginPlan) throws(RunFailure) {
    let (listeners, bound) = try OriginListeners.open(plan.address, count: plan.threads)
    address = bound
    if case .pipe(let path) = plan.address, !path.hasPrefix("@") {
      socketPath = path
    } else {
      socketPath = nil
    }
    let tls: OriginTLSPlan?
    do throws(TLSSetupError) {
      if let identity = plan.identity { tls = try OriginTLSPlan(identity) } else { tls = nil }
    } catch {
      throw RunFailure("\(error)")
    }
    for (index, listener) in listeners.enumerated() {
      let gate = StartGate<RunFailure?>()
      let remains = Remains()
      let control = control
      let thread = NamedThread(name: "origin_\(index)") {
        do throws(RunFailure) {
          let worker = try OriginWorker(plan, tls, listener: listener, index: index, control: control)
          gate.open(nil)
          worker.run()
          remains.served = worker.served
        } catch {
          gate.open(error)
        }
      }
      guard let thread else {
        throw RunFailure("no thread to be had (see ulimit -u)")
      }
      threads.append((thread, remains))
      if let error = gate.wait() {
        _ = stop()
        throw error
      }
    }
  }

  /// Ends all connections and threads.
  /// - Returns: How many requests were served (echo: bytes).
  public func stop() -> UInt64 {
    control.isStopped.store(true, ordering: .relaxed)
    var served: UInt64 = 0
    for entry in threads {
      entry.thread.join()
      served += entry.remains.served
    }
    threads = []
    if let socketPath { unlink(socketPath) }
    return served
  }
}
