import Foundation

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
    do {
      let standardInput = path == "-"
      let handle =
        standardInput
        ? FileHandle.standardInput
        : try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
      var bytes: [UInt8] = []
      while bytes.count <= Limits.sourceBytesMax,
        let part = try handle.read(upToCount: 1 << 20), !part.isEmpty
      {
        bytes.append(contentsOf: part)
      }
      if !standardInput { try handle.close() }
      self.init(name: path, bytes: bytes)
    } catch {
      throw Diagnostic(
        location: nil, path: "",
        message: "cannot read \(path): \((error as NSError).localizedDescription)")
    }
  }
}
