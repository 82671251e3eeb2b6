import CSystem
import Glibc

/// Lets the log thread sleep until a time is over or another thread rings: a pipe.
final class LogAlarm: Sendable {
  private let readEnd: Int32
  private let writeEnd: Int32

  init() throws(LogWriter.Failure) {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { throw .system(call: "pipe", errno: csystem_errno()) }
    for end in ends {
      _ = fcntl(end, F_SETFD, FD_CLOEXEC)
      _ = fcntl(end, F_SETFL, O_NONBLOCK)
    }
    readEnd = ends[0]
    writeEnd = ends[1]
  }

  deinit {
    close(readEnd)
    close(writeEnd)
  }

  func ring() {
    var byte: UInt8 = 1
    // A full pipe means that the thread wakes up anyway.
    _ = write(writeEnd, &byte, 1)
  }

  func sleep(milliseconds: Int32) {
    guard milliseconds > 0 else { return }
    var poller = pollfd(fd: readEnd, events: Int16(POLLIN), revents: 0)
    guard poll(&poller, 1, milliseconds) > 0 else { return }
    withUnsafeTemporaryAllocation(byteCount: 256, alignment: 1) {
      _ = read(readEnd, $0.baseAddress, $0.count)
    }
  }

  static func nowMilliseconds() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
  }
}
