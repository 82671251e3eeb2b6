import CSystem
import Glibc

/// SIGINT and SIGTERM as something to wait for. Made before any thread, so that all have them blocked.
struct Signals {
  private let descriptor: Int32

  init() {
    csystem_ignore_sigpipe()
    descriptor = [SIGINT, SIGTERM].withUnsafeBufferPointer {
      csystem_signal_fd($0.baseAddress, Int32($0.count))
    }
  }

  /// Waits for a signal, or so many milliseconds (-1: without end).
  /// - Returns: Whether one came.
  func wait(milliseconds: Int32) -> Bool {
    var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    guard poll(&entry, 1, milliseconds) > 0 else { return false }
    return csystem_read_signal(descriptor) != 0
  }
}
