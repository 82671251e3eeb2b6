import ConfigCompiler
import HTTPCore
import HostHealth
import Primitives
import Proxy

/// Asks a host's own health service (`grpc.health.v1.Health/Check`, github.com/grpc/grpc/blob/master/doc/health-checking.md).
package final class GRPCCheck: ResponseSink, CheckProtocol {
  /// The answer is a message of two bytes; one that is longer than this is none.
  private static let messageBytesMax = 1024
  /// `HealthCheckResponse.ServingStatus`
  private static let serving: UInt64 = 1

  private let check: ActiveCheck
  private let grpc: ActiveCheck.GRPC
  private let message: [UInt8]
  private let done: CheckDone
  private var request: InternalRequest?
  private var target: CheckTarget?
  private var status: UInt16 = 0
  private var isGRPC = false
  private var grpcStatus: UInt64?
  private var body: [UInt8] = []

  init(_ check: ActiveCheck, _ grpc: ActiveCheck.GRPC, done: @escaping CheckDone) {
    self.check = check
    self.grpc = grpc
    self.done = done
    message = Self.message(service: grpc.service)
  }

  /// A length-prefixed `HealthCheckRequest { string service = 1; }`.
  static func message(service: String) -> [UInt8] {
    var fields: [UInt8] = []
    if !service.isEmpty {
      fields.append(0x0A)
      var length = service.utf8.count
      while length >= 0x80 {
        fields.append(UInt8(truncatingIfNeeded: length) | 0x80)
        length >>= 7
      }
      fields.append(UInt8(truncatingIfNeeded: length))
      fields += service.utf8
    }
    let count = UInt32(truncatingIfNeeded: fields.count)
    return [0, UInt8(count >> 24), UInt8(count >> 16 & 0xFF), UInt8(count >> 8 & 0xFF), UInt8(count & 0xFF)] + fields
  }

  /// The field `status` of a length-prefixed `HealthCheckResponse`; nil when that is not what it is.
  package static func servingStatus(_ bytes: [UInt8]) -> UInt64? {
    guard bytes.count >= 5, bytes[0] == 0 else { return nil }
    let length = bytes[1..<5].reduce(0) { $0 << 8 | Int($1) }
    guard length == bytes.count - 5 else { return nil }
    var rest = bytes[5...]
    var status: UInt64 = 0
    while let tag = varint(&rest) {
      switch (tag >> 3, tag & 7) {
      case (1, 0):
        guard let value = varint(&rest) else { return nil }
        status = value
      case (_, 0): guard varint(&rest) != nil else { return nil }
      case (_, 2):
        guard let count = varint(&rest), count <= UInt64(rest.count) else { return nil }
        rest = rest.dropFirst(Int(count))
      default: return nil
      }
      if rest.isEmpty { break }
    }
    return rest.isEmpty ? status : nil
  }

  private static func varint(_ bytes: inout ArraySlice<UInt8>) -> UInt64? {
    var value: UInt64 = 0
    for shift in stride(from: UInt64(0), to: 70, by: 7) {
      guard let byte = bytes.popFirst() else { return nil }
      if shift < 64 { value |= UInt64(byte & 0x7F) << shift }
      if byte < 0x80 { return value }
    }
    return nil
  }

  // MARK: CheckProtocol

  func start(_ worker: Worker, _ target: CheckTarget) -> CheckResult? {
    self.target = target
    status = 0
    isGRPC = false
    grpcStatus = nil
    body.removeAll(keepingCapacity: true)
    request = message.withUnsafeBufferPointer { bytes in
      worker.startCheck(
        target, timeout: check.timeoutNanoseconds,
        body: bytes.baseAddress.map { ByteView($0, bytes.count) } ?? .empty, sink: self
      ) { head in
        head.append(.method, ByteView("POST"))
        head.append(.scheme, ByteView("http"))
        head.append(.authority, head.copy(target.name(or: grpc.authority)))
        head.append(.path, ByteView("/grpc.health.v1.Health/Check"))
        head.append(.te, ByteView("trailers"))
        head.append(.contentType, ByteView("application/grpc"))
        head.append(.userAgent, ByteView("Envoy/HC"))
        grpc.metadata.applyToCheck(&head)
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

  package override func head(
    _ worker: Worker, _ request: InternalRequest, status: UInt16, headers: HeaderMap, ends: Bool
  ) {
    self.status = status
    isGRPC = GRPC.isGRPC(contentType: headers.value(.contentType) ?? .empty)
    if ends { grpcStatus = headers.value(.grpcStatus)?.decimal(limit: 1 << 31) }
  }

  package override func data(_ worker: Worker, _ request: InternalRequest, _ bytes: ByteView) {
    if body.count <= Self.messageBytesMax { body += bytes.prefix(Self.messageBytesMax + 1).buffer }
  }

  package override func trailers(_ worker: Worker, _ request: InternalRequest, _ trailers: HeaderMap) {
    grpcStatus = trailers.value(.grpcStatus)?.decimal(limit: 1 << 31)
  }

  package override func ended(_ worker: Worker, _ request: InternalRequest, _ failure: InternalRequest.Failure?) {
    self.request = nil
    guard failure?.cause != .shutDown else { return }
    if failure?.cause == .deadline { target?.retireConnections(worker) }
    done(failure?.checkResult ?? verdict)
  }

  private var verdict: CheckResult {
    guard status == 200 else { return .failed(.active, "\(status), expected 200", status: status) }
    guard isGRPC else { return .failed(.active, "not a gRPC response", status: status) }
    guard let grpcStatus else { return .failed(.active, "no grpc-status", status: status) }
    guard grpcStatus == 0 else { return .failed(.active, "grpc-status \(grpcStatus)", status: status) }
    guard let serving = Self.servingStatus(body) else { return .failed(.active, "not a health response", status: status) }
    guard serving == Self.serving else { return .failed(.active, "not SERVING (\(serving))", status: status) }
    return .passed("SERVING", status: status)
  }
}
