import Primitives
import Reactor
import Testing

@testable import Proxy

@Suite struct GRPCPartsTests {
  private func frame(_ count: Int) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: GRPCFrame.headBytes)
    bytes.withUnsafeMutableBufferPointer { buffer in
      if let base = buffer.baseAddress { GRPCFrame.write(flags: 0, count: count, to: base) }
    }
    return bytes + (0..<count).map { UInt8(truncatingIfNeeded: $0) }
  }

  @Test func frameHead() {
    #expect(Array(frame(0x0102).prefix(5)) == [0, 0, 0, 1, 2])
  }

  @Test(arguments: 1...40)
  func counterSeesTheSameInAnyPieces(_ size: Int) {
    let bytes = frame(0) + frame(1) + frame(0) + frame(70) + frame(300) + frame(2)
    var counter = GRPCFrameCounter()
    bytes.withUnsafeBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return }
      var at = 0
      while at < buffer.count {
        let step = min(size, buffer.count - at)
        counter.add(ByteView(base + at, step))
        at += step
      }
    }
    #expect(counter.count == 6)
  }

  @Test func counterCountsAMessageWhenItBegins() {
    var counter = GRPCFrameCounter()
    let bytes = frame(3)
    bytes.withUnsafeBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return }
      counter.add(ByteView(base, 1))
      #expect(counter.count == 1)
      counter.add(ByteView(base + 1, buffer.count - 1))
      #expect(counter.count == 1)
    }
  }

  @Test(arguments: [
    ("/a.B/c", "a.B", "c"), ("/a/b?x=/y", "a", "b"), ("/a/b/c", nil, nil), ("/a", nil, nil), ("/a/", nil, nil),
    ("//b", nil, nil), ("a/b", nil, nil), ("", nil, nil), ("/", nil, nil),
  ] as [(String, String?, String?)])
  func method(_ path: String, _ service: String?, _ name: String?) {
    let text = FrozenText(path)
    let method = GRPCMethod(path: text.view)
    #expect(method?.service.string == service)
    #expect(method?.name.string == name)
  }

  // MARK: Text of gRPC-Web

  private func pieces(_ bytes: [UInt8], _ size: Int, _ segments: SegmentPool, _ body: (inout SegmentQueue, Bool) -> Void) {
    bytes.withUnsafeBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return }
      var at = 0
      while at < buffer.count {
        let step = min(size, buffer.count - at)
        var data = SegmentQueue()
        segments.copy(ByteView(base + at, step), to: &data)
        at += step
        body(&data, at == buffer.count)
      }
    }
  }

  private func bytes(_ data: SegmentQueue) -> [UInt8] {
    var all: [UInt8] = []
    var next = data.head
    while let segment = next {
      all += ByteView(segment.pointee.base, segment.pointee.count).array
      next = segment.pointee.next
    }
    return all
  }

  private func base64(_ bytes: [UInt8]) -> [UInt8] {
    var text = [UInt8](repeating: 0, count: Base64.encodedCount(bytes.count))
    bytes.withUnsafeBufferPointer { from in
      text.withUnsafeMutableBufferPointer { to in
        if let source = from.baseAddress, let target = to.baseAddress {
          Base64.encode(ByteView(source, from.count), to: target)
        }
      }
    }
    return text
  }

  @Test(arguments: [1, 2, 3, 4, 5, 6, 7, 11, 100, 3000, 9000])
  func textInAnyPieces(_ size: Int) throws {
    let segments = try SegmentPool(kernel: LinuxKernel(entries: 8))
    let frames = [frame(0), frame(1), frame(2), frame(3), frame(70), frame(4000), frame(5)]
    let text = frames.flatMap { base64($0) }
    var encoder = GRPCWebTextEncoder()
    var decoder = GRPCWebTextDecoder()
    var encoded: [UInt8] = []
    pieces(frames.flatMap { $0 }, size, segments) { data, isLast in
      encoder.encode(&data, endsStream: isLast, segments)
      encoded += bytes(data)
      segments.releaseAll(&data)
    }
    #expect(encoded == text)
    var decoded: [UInt8] = []
    pieces(text, size, segments) { data, _ in
      #expect(decoder.decode(&data, segments))
      decoded += bytes(data)
      segments.releaseAll(&data)
    }
    #expect(decoded == frames.flatMap { $0 })
    #expect(!decoder.isWithinQuad)
  }

  @Test func messageThatBreaksOff() throws {
    let segments = try SegmentPool(kernel: LinuxKernel(entries: 8))
    var encoder = GRPCWebTextEncoder()
    let part = Array(frame(10).prefix(7))
    var encoded: [UInt8] = []
    pieces(part, 7, segments) { data, _ in
      encoder.encode(&data, endsStream: true, segments)
      encoded += bytes(data)
      segments.releaseAll(&data)
    }
    #expect(encoded == base64(part))
  }
}
