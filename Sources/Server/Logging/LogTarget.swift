import CSystem
import Glibc
import Primitives

/// One destination of the log writer: an open descriptor and what waits to be written to it.
///
/// It never waits for a pipe or a terminal: what they do not take stays in the buffer, and when the buffer is
/// full, lines are dropped. Only a disk can hold the thread up, as the kernel does not say beforehand.
struct LogTarget {
  /// From here on a buffer is written without waiting for the interval.
  static let flushBytes = 64 * 1024
  /// Lines beyond this are dropped: it fits one more line of the largest size.
  static let bufferBytesMax = 2 * flushBytes
  /// How long a destination that takes nothing, or fails, is left alone.
  static let pauseMilliseconds: Int64 = 50
  /// A pipe that is said to be writable takes at least this much at once (pipe(7)).
  private static let pipeBytes = 4096

  let destination: LogDestination
  private(set) var descriptor: Int32
  /// The descriptor is shared with others, so it has to stay as it is; they may have made it blocking.
  private let isShared: Bool
  private let isRegularFile: Bool
  private var buffer: [UInt8] = []
  /// When the oldest byte in the buffer came.
  private(set) var bufferedSince: Int64 = 0
  private var pausedUntil: Int64 = .min

  /// - Parameter descriptor: Closed with ``close()`` unless it is a standard one.
  init(_ destination: LogDestination, descriptor: Int32) {
    self.destination = destination
    self.descriptor = descriptor
    if case .file = destination { isShared = false } else { isShared = true }
    var information = stat()
    isRegularFile =
      fstat(descriptor, &information) == 0 && information.st_mode & S_IFMT == S_IFREG
  }

  var bufferedBytes: Int { buffer.count }

  /// Adds a line, which is in two runs; false when there is no room.
  mutating func append(_ first: ByteView, _ second: ByteView, now: Int64) -> Bool {
    guard buffer.count + first.count + second.count <= Self.bufferBytesMax else { return false }
    if buffer.isEmpty { bufferedSince = now }
    buffer.append(contentsOf: first.buffer)
    buffer.append(contentsOf: second.buffer)
    return true
  }

  /// What became of a write.
  enum Outcome: Equatable {
    /// Nothing to do, or too early after a pause.
    case nothing
    case completed
    /// The destination takes no more now.
    case stalled
    case failed(errno: Int32)
  }

  /// Writes what is buffered, as far as it can be.
  ///
  /// - Parameter force: Also during a pause.
  mutating func flush(now: Int64, force: Bool = false) -> Outcome {
    guard !buffer.isEmpty, force || now >= pausedUntil else { return .nothing }
    var written = 0
    defer {
      if written == buffer.count {
        buffer.removeAll(keepingCapacity: true)
      } else if written > 0 {
        buffer.removeFirst(written)
      }
    }
    while written < buffer.count {
      let result = write(from: written)
      if result >= 0 {
        written += result
        continue
      }
      let code = csystem_errno()
      if code == EINTR { continue }
      pausedUntil = now + Self.pauseMilliseconds
      return code == EAGAIN ? .stalled : .failed(errno: code)
    }
    return .completed
  }

  /// Bytes written, or -1 with the reason in errno.
  private func write(from offset: Int) -> Int {
    var count = buffer.count - offset
    if isShared, !isRegularFile {
      var poller = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
      guard poll(&poller, 1, 0) > 0 else {
        errno = EAGAIN
        return -1
      }
      count = min(count, Self.pipeBytes)
    }
    return buffer.withUnsafeBytes { bytes in
      bytes.baseAddress.map { Glibc.write(descriptor, $0 + offset, count) } ?? 0
    }
  }

  /// Goes on with another descriptor, and with what could not be written to the old one, which is closed.
  mutating func replace(descriptor new: Int32) {
    var successor = LogTarget(destination, descriptor: new)
    swap(&successor.buffer, &buffer)
    successor.bufferedSince = bufferedSince
    close()
    self = successor
  }

  func close() {
    if !isShared { _ = Glibc.close(descriptor) }
  }
}
