import ConfigSchema
import Glibc

extension CompilerPass {
  /// Largest file that a configuration may refer to.
  private static let fileBytesMax = 16 << 20

  /// The bytes that `source` names, or nil after an error.
  func bytes(_ source: Envoy_Config_Core_V3_DataSource, _ path: String) -> [UInt8]? {
    switch source.specifier {
    case .inlineString(let text): return Array(text.utf8)
    case .inlineBytes(let data): return Array(data)
    case .filename(let name): return file(name, "\(path).filename")
    case .environmentVariable(let name):
      guard let value = getenv(name).map({ String(cString: $0) }) else {
        error("\(path).environment_variable", "\"\(shown(name))\" is not set")
        return nil
      }
      return Array(value.utf8)
    case nil: return []
    }
  }

  /// The same as text.
  func text(_ source: Envoy_Config_Core_V3_DataSource, _ path: String) -> String? {
    guard let bytes = bytes(source, path) else { return nil }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      error(path, "is not UTF-8")
      return nil
    }
    return text
  }

  private func file(_ name: String, _ path: String) -> [UInt8]? {
    func fail(_ reason: String) -> [UInt8]? {
      error(path, "cannot read \"\(shown(name))\": \(reason)")
      return nil
    }
    guard let file = fopen(options.resolved(name), "rbe") else {
      return fail(String(cString: strerror(errno)))
    }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var part = [UInt8](repeating: 0, count: 64 << 10)
    while true {
      let count = fread(&part, 1, part.count, file)
      if count == 0 { break }
      bytes += part[..<count]
      if bytes.count > Self.fileBytesMax {
        return fail("it has more than \(Self.fileBytesMax) bytes")
      }
    }
    return ferror(file) == 0 ? bytes : fail(String(cString: strerror(errno)))
  }
}
