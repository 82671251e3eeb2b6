import Glibc
import LoadBase

/// Whole files in and out.
enum Files {
  /// More than any file that is meant: a device without an end is not read for ever.
  private static let bytesMax = 512 << 20

  static func read(_ path: String, option: String) throws(UsageError) -> [UInt8] {
    func unreadable(_ why: String) -> UsageError { UsageError("\(option) \(path): cannot read: \(why)") }
    guard let file = fopen(path, "rb") else { throw unreadable(systemReason()) }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 64 << 10)
    while true {
      let count = fread(&piece, 1, piece.count, file)
      bytes += piece[..<count]
      if bytes.count > bytesMax { throw unreadable("larger than \(bytesMax >> 20)m") }
      guard count == piece.count else {
        if ferror(file) != 0 { throw unreadable(systemReason()) }
        return bytes
      }
    }
  }

  static func write(_ text: String, to path: String, option: String) throws(UsageError) {
    guard let file = fopen(path, "wb") else { throw unwritable(path, option) }
    var text = text
    let isWhole = text.withUTF8 { fwrite($0.baseAddress, 1, $0.count, file) == $0.count }
    let isClosed = fclose(file) == 0
    guard isWhole, isClosed else { throw unwritable(path, option) }
  }

  /// Finds out before a run, not after it. A file that is there stays as it is.
  static func checkWritable(_ path: String?, option: String) throws(UsageError) {
    guard let path else { return }
    guard let file = fopen(path, "ab") else { throw unwritable(path, option) }
    fclose(file)
  }

  private static func unwritable(_ path: String, _ option: String) -> UsageError {
    UsageError("\(option) \(path): cannot write: \(systemReason())")
  }

  private static func systemReason() -> String { String(cString: strerror(errno)).lowercased() }
}
