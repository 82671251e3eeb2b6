import CSystem
import Glibc

/// Why a log file could not be opened.
public struct LogFileError: Error, Equatable, CustomStringConvertible {
  public let path: String
  public let errno: Int32

  public var description: String {
    "cannot open the log file \(path): \(String(cString: strerror(errno)))"
  }
}

/// Files that logs are appended to.
enum LogFile {
  /// - Returns: A descriptor that appends and never blocks on a FIFO or a terminal.
  static func open(_ path: String, mode: Int32 = 0o644) throws(LogFileError) -> Int32 {
    // Opening a FIFO for writing needs a reader or fails at once; a descriptor that reads too needs none.
    let append = O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK
    var descriptor = csystem_open(path, O_WRONLY | append, mode)
    if descriptor < 0, csystem_errno() == ENXIO {
      descriptor = csystem_open(path, O_RDWR | append, mode)
    }
    guard descriptor >= 0 else { throw LogFileError(path: path, errno: csystem_errno()) }
    return descriptor
  }
}
