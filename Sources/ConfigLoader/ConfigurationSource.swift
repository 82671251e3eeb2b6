import Glibc

/// One configuration text and the name that errors give it.
public struct ConfigurationSource: Sendable {
  public let name: String
  /// Expected to be UTF-8; the loader reports it when they are not.
  public let bytes: [UInt8]

  public init(name: String, bytes: [UInt8]) {
    self.name = name
    self.bytes = bytes
  }

  public init(name: String, text: String) {
    self.init(name: name, bytes: Array(text.utf8))
  }

  /// Reads the file at `path`; `-` is standard input. At most one byte more than the size limit
  /// is read, so a huge file costs no memory.
  public init(path: String) throws(Diagnostic) {
    let isStandardInput = path == "-"
    let descriptor = isStandardInput ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw Self.unreadable(path) }
    defer { if !isStandardInput { close(descriptor) } }
    var bytes: [UInt8] = []
    var part = [UInt8](repeating: 0, count: 64 << 10)
    while bytes.count <= Limits.sourceBytesMax {
      let count = read(descriptor, &part, min(part.count, Limits.sourceBytesMax + 1 - bytes.count))
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw Self.unreadable(path) }
      if count == 0 { break }
      bytes += part[..<count]
    }
    self.init(name: path, bytes: bytes)
  }

  private static func unreadable(_ path: String) -> Diagnostic {
    Diagnostic(location: nil, path: "", message: "cannot read \(path): \(String(cString: strerror(errno)))")
  }
}
