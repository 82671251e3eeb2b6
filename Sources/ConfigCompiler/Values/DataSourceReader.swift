import ConfigSchema
import Glibc

/// Reads what a `DataSource` names. It needs nothing of a compilation, so that files can be read again
/// when they change, on any thread.
struct DataSourceReader: Sendable {
  struct Failure: Error, Equatable {
    /// The field of the source that is at fault.
    var field: String
    var reason: String
  }

  /// Largest file that a configuration may refer to.
  static let fileBytesMax = 16 << 20

  let options: CompilerOptions

  func bytes(_ source: Envoy_Config_Core_V3_DataSource) throws(Failure) -> [UInt8] {
    switch source.specifier {
    case .inlineString(let text): return Array(text.utf8)
    case .inlineBytes(let data): return Array(data)
    case .filename(let name): return try file(name)
    case .environmentVariable(let name):
      guard let value = getenv(name).map({ String(cString: $0) }) else {
        throw Failure(field: "environment_variable", reason: "\"\(shown(name))\" is not set")
      }
      return Array(value.utf8)
    case nil: return []
    }
  }

  func file(_ name: String) throws(Failure) -> [UInt8] {
    func failure(_ reason: String) -> Failure {
      Failure(field: "filename", reason: "cannot read \"\(shownFile(name))\": \(reason)")
    }
    guard let file = fopen(options.resolved(name), "rbe") else {
      throw failure(String(cString: strerror(errno)))
    }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var part = [UInt8](repeating: 0, count: 64 << 10)
    while true {
      let count = fread(&part, 1, part.count, file)
      if count == 0 { break }
      bytes += part[..<count]
      if bytes.count > Self.fileBytesMax {
        throw failure("it has more than \(Self.fileBytesMax) bytes")
      }
    }
    guard ferror(file) == 0 else { throw failure(String(cString: strerror(errno))) }
    return bytes
  }
}
