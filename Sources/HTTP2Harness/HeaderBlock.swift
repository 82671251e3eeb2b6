import CNGHTTP2
import HTTPHarness

/// Header blocks (RFC 7541), by hand where a peer would not send them, else by the library's public
/// encoder and decoder.
package enum HeaderBlock {
  /// Literals that are not indexed, without Huffman: any bytes at all.
  package static func literal(_ fields: [(String, String)], isSensitive: Bool = false) -> [UInt8] {
    fields.flatMap { name, value in
      [isSensitive ? 0x10 : 0x00] + string(name.wire) + string(value.wire)
    }
  }

  /// A literal that goes into the dynamic table.
  package static func indexed(_ fields: [(String, String)]) -> [UInt8] {
    fields.flatMap { [0x40] + string($0.0.wire) + string($0.1.wire) }
  }

  /// The newest entry of the dynamic table.
  package static let newest: UInt8 = 0x80 | 62

  private static func string(_ bytes: [UInt8]) -> [UInt8] {
    if bytes.count < 127 { return [UInt8(bytes.count)] + bytes }
    var length: [UInt8] = [127]
    var rest = bytes.count - 127
    while rest >= 128 {
      length.append(UInt8(rest & 127 | 128))
      rest >>= 7
    }
    return length + [UInt8(rest)] + bytes
  }

  package static func request(
    _ method: String = "GET", _ path: String = "/", authority: String = "a",
    more: [(String, String)] = []
  ) -> [UInt8] {
    literal(
      [(":method", method), (":scheme", "http"), (":path", path), (":authority", authority)] + more)
  }

  package static func response(_ status: Int = 200, more: [(String, String)] = []) -> [UInt8] {
    literal([(":status", String(status))] + more)
  }
}

/// One side's encoder.
package final class HeaderEncoder {
  private var encoder: OpaquePointer?

  package init(tableBytes: Int = 4096) { nghttp2_hd_deflate_new(&encoder, tableBytes) }

  deinit { nghttp2_hd_deflate_del(encoder) }

  package func encode(_ fields: [(String, String)]) -> [UInt8] {
    var memory: [UnsafeMutablePointer<UInt8>] = []
    defer { for copy in memory { copy.deallocate() } }
    func copy(_ text: String) -> UnsafeMutablePointer<UInt8> {
      let bytes = text.wire
      let copy = UnsafeMutablePointer<UInt8>.allocate(capacity: max(1, bytes.count))
      for (i, byte) in bytes.enumerated() { copy[i] = byte }
      memory.append(copy)
      return copy
    }
    let list = fields.map { name, value in
      nghttp2_nv(
        name: copy(name), value: copy(value), namelen: name.wire.count,
        valuelen: value.wire.count, flags: 0)
    }
    let bound = nghttp2_hd_deflate_bound(encoder, list, list.count)
    var block = [UInt8](repeating: 0, count: bound)
    let count = nghttp2_hd_deflate_hd(encoder, &block, bound, list, list.count)
    precondition(count >= 0)
    return Array(block.prefix(count))
  }
}

/// One side's decoder.
package final class HeaderDecoder {
  private var decoder: OpaquePointer?

  package init() { nghttp2_hd_inflate_new(&decoder) }

  deinit { nghttp2_hd_inflate_del(decoder) }

  /// `name: value`, with `!` in front of fields that must never be indexed; nil when the block is
  /// broken.
  package func decode(_ block: [UInt8]) -> [String]? {
    var fields: [String] = []
    var at = 0
    var input = block
    return input.withUnsafeMutableBufferPointer { buffer in
      while true {
        var field = nghttp2_nv()
        var flags: Int32 = 0
        let used = nghttp2_hd_inflate_hd2(
          decoder, &field, &flags, buffer.baseAddress.map { $0 + at }, buffer.count - at, 1)
        if used < 0 { return nil }
        at += used
        if flags & 2 != 0 {
          let name = String(
            decoding: UnsafeBufferPointer(start: field.name, count: field.namelen), as: UTF8.self)
          let value = String(
            decoding: UnsafeBufferPointer(start: field.value, count: field.valuelen), as: UTF8.self)
          fields.append((field.flags & 1 != 0 ? "!" : "") + "\(name): \(value)")
        }
        if flags & 1 != 0 {
          nghttp2_hd_inflate_end_headers(decoder)
          return fields
        }
        if flags & 2 == 0, at == buffer.count { return nil }
      }
    }
  }
}
