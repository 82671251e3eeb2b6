import Glibc

/// Lets one thread sleep until a time or until another thread wakes it: a pipe.
final class Wakeup: Sendable {
  private let readEnd: Int32
  private let writeEnd: Int32

  init() throws(StatsFlusherError) {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { throw StatsFlusherError(errno: errno, call: "pipe") }
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

  func wake() {
    var byte: UInt8 = 1
    // A full pipe means that the thread is woken anyway.
    _ = write(writeEnd, &byte, 1)
  }

  func sleep(until deadline: Int64) {
    var poller = pollfd(fd: readEnd, events: Int16(POLLIN), revents: 0)
    guard poll(&poller, 1, MonotonicClock.remainingMilliseconds(until: deadline)) > 0 else { return }
    withUnsafeTemporaryAllocation(byteCount: 256, alignment: 1) {
      _ = read(readEnd, $0.baseAddress, $0.count)
    }
  }
}
