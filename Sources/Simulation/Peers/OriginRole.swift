/// For what a host is asked.
enum OriginRole {
  /// By clients.
  case traffic
  /// For copies of clients' requests.
  case mirror
  /// By main, for how it is.
  case check

  /// - Returns: What is noted of traffic, of copies, and nothing of checks.
  func feature(_ traffic: Coverage.Feature, mirror: Coverage.Feature) -> Coverage.Feature? {
    switch self {
    case .traffic: traffic
    case .mirror: mirror
    case .check: nil
    }
  }
}
