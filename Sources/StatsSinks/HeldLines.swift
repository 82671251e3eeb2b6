/// Lines that wait to be written to a stream: bounded, and always continued at the start of a line after the
/// connection was lost. Bytes only, no sockets.
public struct HeldLines {
  private let bytesMax: Int
  private var bytes: [UInt8] = []
  /// How much of `bytes` this connection took.
  private var sent = 0

  public init(bytesMax: Int) { self.bytesMax = bytesMax }

  public var isEmpty: Bool { sent == bytes.count }
  public var unsentBytes: Int { bytes.count - sent }

  /// Adds a line and its newline.
  ///
  /// - Returns: False when it is empty or does not fit, and was left out.
  public mutating func add(_ line: ArraySlice<UInt8>) -> Bool {
    guard !line.isEmpty, line.count < bytesMax else { return false }
    if bytes.count + line.count + 1 > bytesMax { forgetSentLines() }
    guard bytes.count + line.count + 1 <= bytesMax else { return false }
    bytes += line
    bytes.append(UInt8(ascii: "\n"))
    return true
  }

  /// What to write next; `body` returns how many bytes were written.
  public mutating func write(_ body: (UnsafeRawBufferPointer) -> Int) {
    let written = bytes.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[sent...])) }
    sent = min(bytes.count, sent + max(0, written))
    guard isEmpty else { return }
    bytes.removeAll(keepingCapacity: true)
    sent = 0
  }

  /// The connection is gone: a half written line starts again on the next one.
  public mutating func rewind() { sent = startOfUnsentLine }

  private mutating func forgetSentLines() {
    let start = startOfUnsentLine
    guard start > 0 else { return }
    bytes.removeSubrange(..<start)
    sent -= start
  }

  /// Behind the last newline that was sent.
  private var startOfUnsentLine: Int {
    bytes[..<sent].lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
  }
}
