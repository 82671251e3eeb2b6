import Primitives

/// Writes bytes one after another into memory that was measured before.
struct WireCursor {
  private(set) var at: UnsafeMutablePointer<UInt8>

  @inline(__always)
  init(_ start: UnsafeMutablePointer<UInt8>) { at = start }

  @inline(__always)
  mutating func put(_ literal: StaticString) { put(ByteView(literal)) }

  @inline(__always)
  mutating func put(byte: UInt8) {
    at.pointee = byte
    at += 1
  }

  @inline(__always)
  mutating func lineEnd() {
    UnsafeMutableRawPointer(at).storeBytes(of: 0x0A0D, as: UInt16.self)
    at += 2
  }

  /// Most pieces are short: two overlapping words cost less than a call.
  @inline(__always)
  mutating func put(_ view: ByteView) {
    let count = view.count
    let source = UnsafeRawPointer(view.base)
    let target = UnsafeMutableRawPointer(at)
    if count > 32 {
      target.copyMemory(from: source, byteCount: count)
    } else if count >= 16 {
      copyEnds(SIMD16<UInt8>.self, source, target, count)
    } else if count >= 8 {
      copyEnds(UInt64.self, source, target, count)
    } else if count >= 4 {
      copyEnds(UInt32.self, source, target, count)
    } else if count >= 2 {
      copyEnds(UInt16.self, source, target, count)
    } else if count == 1 {
      at.pointee = view.base[0]
    }
    at += count
  }

  @inline(__always)
  private func copyEnds<Word: BitwiseCopyable>(
    _ type: Word.Type, _ source: UnsafeRawPointer, _ target: UnsafeMutableRawPointer, _ count: Int
  ) {
    let size = MemoryLayout<Word>.size
    let first = source.loadUnaligned(as: Word.self)
    let last = source.loadUnaligned(fromByteOffset: count &- size, as: Word.self)
    target.storeBytes(of: first, as: Word.self)
    target.storeBytes(of: last, toByteOffset: count &- size, as: Word.self)
  }

  @inline(__always)
  mutating func field(_ name: ByteView, _ value: ByteView) {
    put(name)
    UnsafeMutableRawPointer(at).storeBytes(of: 0x203A, as: UInt16.self)  // ": "
    at += 2
    put(value)
    lineEnd()
  }

  /// As ``field(_:_:)`` with the name as `Content-Length` rather than `content-length`.
  mutating func properCaseField(_ name: ByteView, _ value: ByteView) {
    var isFirst = true
    for i in 0..<name.count {
      let byte = name.base[i]
      put(byte: isFirst ? ASCII.uppercase(byte) : byte)
      isFirst = byte == 45
    }
    put(": ")
    put(value)
    lineEnd()
  }

  @inline(__always)
  mutating func decimal(_ value: UInt64) { at += Decimal.write(value, to: at) }
}
