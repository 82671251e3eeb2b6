import HTTPCore

/// Statuses of gRPC as reports show them.
enum GRPCStatusName {
  /// "14 UNAVAILABLE"
  static func words(_ code: Int) -> String {
    guard let name = GRPCStatus(code: UInt32(clamping: code)).name(snake: true) else { return "\(code)" }
    return "\(code) \(name)"
  }
}
