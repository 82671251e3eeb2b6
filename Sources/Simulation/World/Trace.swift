/// The record of a run: a running hash of everything that happened, and the text of it on demand.
public final class Trace {
  /// FNV-1a over every record.
  public private(set) var hash: UInt64 = 0xCBF2_9CE4_8422_2325
  public private(set) var eventCount = 0
  private let print: ((String) -> Void)?

  /// - Parameter print: Takes the readable form, a line at a time.
  init(print: ((String) -> Void)?) { self.print = print }

  var isPrinting: Bool { print != nil }

  /// Hashes the numbers; the text is only made when somebody reads it.
  func record(_ numbers: UInt64..., text: @autoclosure () -> String) {
    eventCount += 1
    for number in numbers { add(number) }
    print?(text())
  }

  /// Hashes bytes that reached a peer.
  func record(_ bytes: ArraySlice<UInt8>, _ time: UInt64, text: @autoclosure () -> String) {
    eventCount += 1
    add(time)
    add(UInt64(bytes.count))
    bytes.withUnsafeBytes { raw in
      var at = 0
      while at + 8 <= raw.count {
        add(raw.loadUnaligned(fromByteOffset: at, as: UInt64.self))
        at += 8
      }
      while at < raw.count {
        add(UInt64(raw[at]))
        at += 1
      }
    }
    print?(text())
  }

  func record(_ text: String) {
    eventCount += 1
    for byte in text.utf8 { add(UInt64(byte)) }
    print?(text)
  }

  private func add(_ number: UInt64) {
    // Words, not bytes: a record costs one multiplication each.
    hash = (hash ^ number) &* 0x100_0000_01B3
    hash ^= hash >> 29
  }
}
