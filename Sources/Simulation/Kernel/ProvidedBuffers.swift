import CURing

/// The kernel's view of one ring of provided buffers.
///
/// A buffer that comes back is overwritten at once, which a real kernel may do at any time: whoever
/// still reads from it is found out.
final class ProvidedBuffers {
  private let entries: UnsafeMutablePointer<io_uring_buf>
  private let tail: UnsafePointer<UInt16>
  private let count: Int
  private var head: UInt16 = 0
  /// Up to where the ring has been looked at.
  private var seenTail: UInt16 = 0
  /// By buffer: whether the kernel has it.
  private var isOurs: [Bool]
  private let report: (String) -> Void

  struct Buffer {
    let id: UInt16
    let memory: UnsafeMutablePointer<UInt8>
    let byteCount: Int
  }

  /// - Parameter memory: `count` entries; the tail shares storage with the first (io_uring's layout).
  init(memory: UnsafeMutableRawPointer, count: Int, report: @escaping (String) -> Void) {
    entries = memory.assumingMemoryBound(to: io_uring_buf.self)
    tail = UnsafePointer(
      (memory + 14).assumingMemoryBound(to: UInt16.self))
    self.count = count
    self.report = report
    isOurs = Array(repeating: false, count: count)
  }

  var available: Int { Int(seenTail &- head) }

  /// Takes note of buffers that came back.
  func observe() {
    while seenTail != tail.pointee {
      let entry = entries[Int(seenTail) & (count - 1)]
      seenTail &+= 1
      guard Int(entry.bid) < count, let memory = Self.memory(entry) else {
        report("buffer \(entry.bid) of unknown memory was given to the kernel")
        continue
      }
      if isOurs[Int(entry.bid)] { report("buffer \(entry.bid) was given back twice") }
      isOurs[Int(entry.bid)] = true
      Self.overwrite(memory, Int(entry.len))
    }
    if available > count { report("more buffers in the ring than there are") }
  }

  func take() -> Buffer? {
    guard head != seenTail else { return nil }
    let entry = entries[Int(head) & (count - 1)]
    head &+= 1
    guard let memory = Self.memory(entry) else { return nil }
    isOurs[Int(entry.bid)] = false
    return Buffer(id: entry.bid, memory: memory, byteCount: Int(entry.len))
  }

  static func overwrite(_ memory: UnsafeMutablePointer<UInt8>, _ count: Int) {
    memory.update(repeating: 0xDB, count: count)
  }

  private static func memory(_ entry: io_uring_buf) -> UnsafeMutablePointer<UInt8>? {
    UnsafeMutablePointer(bitPattern: UInt(entry.addr))
  }
}
