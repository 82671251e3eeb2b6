import ConfigCompiler
import HostHealth
import Primitives
import Proxy

/// What is said on a connection that checks a host.
package protocol ProbeDialogue: AnyObject {
  /// A check begins on a connection that is there.
  ///
  /// - Parameter isNew: Nothing was said on it before.
  /// - Returns: What to send, and the result when nothing needs to be heard.
  func begin(isNew: Bool) -> (send: [UInt8], result: CheckResult?)
  /// The host has said more; nil: there must be more.
  func heard(_ bytes: ByteView) -> CheckResult?
}

/// Checks a host by what it says on a TCP connection, with TLS where the cluster has it.
final class ProbeCheck: ProbeSink, CheckProtocol {
  private let dialogue: any ProbeDialogue
  /// The connection stays for the next check.
  private let keepsConnection: Bool
  private let done: CheckDone
  private var probe: Probe?
  private var isConnected = false
  /// A result is awaited.
  private var isAsking = false

  init(_ dialogue: any ProbeDialogue, keepsConnection: Bool, done: @escaping CheckDone) {
    self.dialogue = dialogue
    self.keepsConnection = keepsConnection
    self.done = done
  }

  // MARK: CheckProtocol

  func start(_ worker: Worker, _ target: CheckTarget) -> CheckResult? {
    isAsking = true
    if probe != nil, isConnected { return ask(worker, isNew: false) }
    isConnected = false
    probe = worker.startProbe(
      cluster: target.cluster, index: target.index, identity: target.identity, sink: self)
    if probe != nil { return nil }
    isAsking = false
    return .failed(.network, "no connection could be made")
  }

  func cancel(_ worker: Worker) {
    isAsking = false
    close(worker)
  }

  func close(_ worker: Worker) {
    if let probe { worker.cancel(probe) }
    probe = nil
  }

  private func ask(_ worker: Worker, isNew: Bool) -> CheckResult? {
    guard let probe else { return nil }
    let (bytes, result) = dialogue.begin(isNew: isNew)
    bytes.withUnsafeBufferPointer { buffer in
      if let base = buffer.baseAddress { worker.send(ByteView(base, buffer.count), to: probe) }
    }
    if result != nil { over(worker) }
    return result
  }

  /// This check is over.
  private func over(_ worker: Worker) {
    isAsking = false
    if !keepsConnection { close(worker) }
  }

  // MARK: ProbeSink

  override func connected(_ worker: Worker, _ probe: Probe) {
    isConnected = true
    if let result = ask(worker, isNew: true) { done(result) }
  }

  override func received(_ worker: Worker, _ probe: Probe, _ bytes: ByteView) {
    guard isAsking, let result = dialogue.heard(bytes) else { return }
    if case .failed = result.outcome { close(worker) }
    over(worker)
    done(result)
  }

  override func ended(_ worker: Worker, _ probe: Probe, _ reason: ByteView) {
    self.probe = nil
    isAsking = false
    // Between two checks too: a host that lets go of a kept connection is going away.
    let text = CheckResult.reason(reason)
    done(.failed(.network, isConnected ? "the connection ended\(text)" : "cannot connect\(text)"))
  }
}
