import ConfigSchema
import Foundation

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
      guard let value = ProcessInfo.processInfo.environment[name] else {
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
    do {
      let handle = try FileHandle(
        forReadingFrom: URL(fileURLWithPath: options.resolved(name)))
      defer { try? handle.close() }
      let data = try handle.read(upToCount: Self.fileBytesMax + 1) ?? Data()
      guard data.count <= Self.fileBytesMax else {
        error(path, "\"\(shown(name))\" has more than \(Self.fileBytesMax) bytes")
        return nil
      }
      return Array(data)
    } catch {
      self.error(
        path, "cannot read \"\(shown(name))\": \((error as NSError).localizedDescription)")
      return nil
    }
  }
}
