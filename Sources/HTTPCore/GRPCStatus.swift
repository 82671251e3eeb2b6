/// How a call ended (grpc.io, "Status codes and their use in gRPC").
@frozen
public struct GRPCStatus: Equatable, Sendable, BitwiseCopyable {
  public let code: UInt32

  @inlinable
  public init(code: UInt32) { self.code = code }

  public static let ok = GRPCStatus(code: 0)
  public static let unknown = GRPCStatus(code: 2)
  public static let deadlineExceeded = GRPCStatus(code: 4)
  public static let permissionDenied = GRPCStatus(code: 7)
  public static let unimplemented = GRPCStatus(code: 12)
  public static let `internal` = GRPCStatus(code: 13)
  public static let unavailable = GRPCStatus(code: 14)
  public static let unauthenticated = GRPCStatus(code: 16)

  /// The highest code that has a meaning.
  public static let codeMax: UInt32 = 16

  /// What a client makes of an HTTP status without `grpc-status` (grpc.io, "HTTP to gRPC Status Code Mapping").
  public init(httpStatus: UInt16) {
    self =
      switch httpStatus {
      case 400: .internal
      case 401: .unauthenticated
      case 403: .permissionDenied
      case 404: .unimplemented
      case 429, 502, 503, 504: .unavailable
      default: .unknown
      }
  }

  /// The HTTP status that says most nearly the same (as `google.rpc.Code` has it).
  public var httpStatus: UInt16 {
    switch code {
    case 0: 200
    case 1: 499
    case 3, 9, 11: 400
    case 4: 504
    case 5: 404
    case 6, 10: 409
    case 7: 403
    case 8: 429
    case 12: 501
    case 14: 503
    case 16: 401
    default: 500
    }
  }

  /// The code's name; a code without a meaning has none.
  ///
  /// - Parameter snake: `DEADLINE_EXCEEDED` instead of `DeadlineExceeded`.
  public func name(snake: Bool) -> StaticString? {
    switch code {
    case 0: "OK"
    case 1: snake ? "CANCELLED" : "Canceled"
    case 2: snake ? "UNKNOWN" : "Unknown"
    case 3: snake ? "INVALID_ARGUMENT" : "InvalidArgument"
    case 4: snake ? "DEADLINE_EXCEEDED" : "DeadlineExceeded"
    case 5: snake ? "NOT_FOUND" : "NotFound"
    case 6: snake ? "ALREADY_EXISTS" : "AlreadyExists"
    case 7: snake ? "PERMISSION_DENIED" : "PermissionDenied"
    case 8: snake ? "RESOURCE_EXHAUSTED" : "ResourceExhausted"
    case 9: snake ? "FAILED_PRECONDITION" : "FailedPrecondition"
    case 10: snake ? "ABORTED" : "Aborted"
    case 11: snake ? "OUT_OF_RANGE" : "OutOfRange"
    case 12: snake ? "UNIMPLEMENTED" : "Unimplemented"
    case 13: snake ? "INTERNAL" : "Internal"
    case 14: snake ? "UNAVAILABLE" : "Unavailable"
    case 15: snake ? "DATA_LOSS" : "DataLoss"
    case 16: snake ? "UNAUTHENTICATED" : "Unauthenticated"
    default: nil
    }
  }
}
