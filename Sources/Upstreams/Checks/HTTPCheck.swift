import ConfigCompiler
import Format
import HTTPCore
import HostHealth
import Primitives
import Proxy
import Routing

/// Asks a host for a page.
final class HTTPCheck: ResponseSink, CheckProtocol {
  private let check: ActiveCheck
  private let http: ActiveCheck.HTTP
  private let done: CheckDone
  private var request: InternalRequest?
  private var target: CheckTarget?
  private var verdict: CheckResult?
  /// The beginning of the body, as far as it is looked at.
  private var body: [UInt8] = []

  init(_ check: ActiveCheck, _ http: ActiveCheck.HTTP, done: @escaping CheckDone) {
    self.check = check
    self.http = http
    self.done = done
  }

  // MARK: CheckProtocol

  func start(_ worker: Worker, _ target: CheckTarget) -> CheckResult? {
    self.target = target
    verdict = nil
    body.removeAll(keepingCapacity: true)
    request = http.body.withUnsafeBufferPointer { bytes in
      worker.startCheck(
        target, timeout: check.timeoutNanoseconds,
        body: bytes.baseAddress.map { ByteView($0, bytes.count) } ?? .empty, sink: self
      ) { head in
        head.append(.method, head.copy(http.method))
        head.append(.scheme, ByteView("http"))
        head.append(.authority, head.copy(target.name(or: http.host)))
        head.append(.path, head.copy(http.path))
        head.append(.userAgent, ByteView("Envoy/HC"))
        http.headers.applyToCheck(&head)
      }
    }
    return request == nil ? .failed(.network, "no connection could be made") : nil
  }

  func cancel(_ worker: Worker) {
    if let request { worker.cancel(request) }
    request = nil
  }

  func close(_ worker: Worker) {}

  // MARK: ResponseSink

  override func head(
    _ worker: Worker, _ request: InternalRequest, status: UInt16, headers: HeaderMap, ends: Bool
  ) {
    verdict = judge(status, headers)
  }

  private func judge(_ status: UInt16, _ headers: HeaderMap) -> CheckResult {
    guard http.expected.contains(status) else {
      return .failed(
        .active, "\(status), expected \(http.expected.text)", isRetriable: http.retriable.contains(status),
        excludes: headers.contains(.envoyImmediateHealthCheckFail), status: status)
    }
    let isDegraded = headers.contains(.envoyDegraded)
    var result = CheckResult.passed(
      isDegraded ? "\(status), degraded" : "\(status)", isDegraded: isDegraded, status: status)
    if let service = http.service {
      var map = headers
      if !service.match(&map) { result = .failed(.active, "\(status), of another service", status: status) }
      result.verifiesCluster = true
    }
    return result
  }

  override func data(_ worker: Worker, _ request: InternalRequest, _ bytes: ByteView) {
    guard !http.receive.isEmpty, body.count < http.bodyBytesMax else { return }
    body += bytes.prefix(http.bodyBytesMax - body.count).buffer
  }

  override func ended(_ worker: Worker, _ request: InternalRequest, _ failure: InternalRequest.Failure?) {
    self.request = nil
    guard failure?.cause != .shutDown else { return }
    if failure?.cause == .deadline { target?.retireConnections(worker) }
    done(result(failure))
  }

  private func result(_ failure: InternalRequest.Failure?) -> CheckResult {
    if let failure { return failure.checkResult }
    guard let verdict else { return .failed(.network, "no response") }
    if case .passed = verdict.outcome, !http.receive.isEmpty, !http.receive.matches(body) {
      var result = CheckResult.failed(
        .active, "\(verdict.status), but the body is not as expected", status: verdict.status)
      result.verifiesCluster = verdict.verifiesCluster
      return result
    }
    return verdict
  }
}

extension StatusRanges {
  /// For people: `200` or `200-299`.
  var text: String {
    ranges.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound - 1)" }
      .joined(separator: ", ")
  }
}

extension CheckTarget {
  /// A connection of HTTP/2 on which nothing is answered would fail the next check too.
  func retireConnections(_ worker: Worker) {
    worker.retireConnections(cluster: cluster, index: index, identity: identity)
  }

  /// The authority of a check: the endpoint's own name for checks, the check's, the cluster's.
  func name(or configured: String) -> String {
    if !hostname.isEmpty { return hostname }
    return configured.isEmpty ? clusterName : configured
  }
}

extension InternalRequest.Failure {
  /// As the result of a check.
  var checkResult: CheckResult {
    let reason = CheckResult.reason(transport)
    switch cause {
    case .deadline, .timeout, .idle: return .failed(.networkTimeout, "no response in time")
    case .connect: return .failed(.network, "cannot connect\(reason)")
    case .terminated: return .failed(.network, "the connection ended\(reason)")
    case .reset: return .failed(.network, "reset\(reason)")
    case .noCluster, .noHost, .overflow, .protocolError, .shutDown: return .failed(.network, details.string)
    }
  }
}

extension Worker {
  /// Sends a request to one host, for a check.
  func startCheck(
    _ target: CheckTarget, timeout: UInt64, body: ByteView, sink: ResponseSink, head: (inout HeaderMap) -> Void
  ) -> InternalRequest? {
    var settings = InternalRequest.Settings(
      target: .host(cluster: target.cluster, index: target.index, identity: target.identity))
    settings.deadline = timeout
    return startRequest(settings, body: body, sink: sink, head: head)
  }
}

extension HeaderMutations {
  /// Changes the head of a check's request. There is no stream: operators about one are empty.
  func applyToCheck(_ head: inout HeaderMap) {
    let arena = head.arenaPointer
    var info = StreamInfo()
    withUnsafeMutablePointer(to: &head) { map in
      withUnsafeMutablePointer(to: &info) { info in
        program.apply(to: map, arena: arena, context: FormatContext(stream: info, requestHeaders: UnsafePointer(map)))
      }
    }
  }
}

extension HeaderMap {
  /// A copy of `text` in the map's arena.
  mutating func copy(_ text: String) -> ByteView {
    var text = text
    return text.withUTF8 { bytes in bytes.baseAddress.map { copy(ByteView($0, bytes.count)) } ?? .empty }
  }
}
