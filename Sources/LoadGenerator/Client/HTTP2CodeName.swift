import HTTP2

/// Error codes by name (RFC 9113 section 7).
enum HTTP2CodeName {
  private static let names = [
    "NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED",
    "FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED",
  ]

  static func of(_ code: HTTP2Code) -> String {
    Int(code.rawValue) < names.count ? names[Int(code.rawValue)] : "code \(code.rawValue)"
  }
}
