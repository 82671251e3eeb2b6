import Glibc

/// The system's text for an error number.
func errnoDescription(_ code: Int32) -> String { String(cString: strerror(code)) }

extension String {
  /// Words joined by underscores, as log fields want them.
  func replacingSpaces() -> String { String(map { $0 == " " ? "_" : $0 }) }
}
