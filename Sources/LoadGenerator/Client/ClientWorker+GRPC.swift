import HTTPCore
import LoadReport
import Primitives

extension ClientWorker {
  /// What is wrong with a call whose answer is whole: counts how it ended.
  func grpcFault(_ stream: LoadStreamRef, _ fields: HeaderMap?) -> ErrorKind? {
    let status = grpcStatus(stream, fields)
    if stream.pointee.request.intended >= measureFrom { record.tally.grpcStatuses.add(Int(status.code)) }
    return stream.pointee.status == 200 && status == .ok ? nil : .unexpectedStatus
  }

  /// As gRPC's libraries see it: what has no status, or none that is known, gets one.
  private func grpcStatus(_ stream: LoadStreamRef, _ fields: HeaderMap?) -> GRPCStatus {
    guard let text = fields?.value(.grpcStatus) else {
      return GRPCStatus(httpStatus: UInt16(clamping: stream.pointee.status))
    }
    guard let code = text.decimal(limit: UInt64(GRPCStatus.codeMax)) else { return .unknown }
    return GRPCStatus(code: UInt32(code))
  }
}
