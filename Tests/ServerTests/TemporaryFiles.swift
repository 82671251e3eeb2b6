import Glibc

/// A directory that goes away with the test.
final class TemporaryFiles {
  struct Failure: Error {}
  private let directory: String

  init() throws {
    var template = Array("/tmp/apus-test-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw Failure() }
    directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit { Self.removeAll(directory) }

  func path(_ name: String) -> String { directory + "/" + name }

  func exists(_ name: String) -> Bool { access(path(name), F_OK) == 0 }

  func rename(_ name: String, _ other: String) -> Bool {
    Glibc.rename(path(name), path(other)) == 0
  }

  /// Empty when there is no such file.
  func text(_ name: String) -> String {
    let descriptor = open(path(name), O_RDONLY)
    guard descriptor >= 0 else { return "" }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while case let count = read(descriptor, &buffer, buffer.count), count > 0 {
      bytes += buffer[..<count]
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  private static func removeAll(_ directory: String) {
    guard let stream = opendir(directory) else { return }
    defer {
      closedir(stream)
      rmdir(directory)
    }
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      guard name != ".", name != ".." else { continue }
      let path = directory + "/" + name
      if unlink(path) != 0 { removeAll(path) }
    }
  }
}
