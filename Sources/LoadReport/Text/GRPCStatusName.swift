/// Statuses of gRPC by name (grpc.io, "Status codes and their use in gRPC").
enum GRPCStatusName {
  private static let names = [
    "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
    "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
    "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
  ]

  /// "14 UNAVAILABLE"
  static func words(_ code: Int) -> String {
    names.indices.contains(code) ? "\(code) \(names[code])" : "\(code)"
  }
}
