import Primitives
import Proxy
import Reactor

extension FuzzTarget {
  /// gRPC-Web as text, both ways: a choice of the way, one of the cuts, then the bytes.
  package static let grpcWebText = FuzzTarget(name: "grpc-web-text", bytesMax: 4096) { bytes in
    var input = FuzzInput(bytes)
    let encodes = input.choice().bit(0)
    let cut = Int(input.choice() & 0x3F) + 1
    let rest = input.rest()
    var sizes = SegmentPool.Sizes()
    (sizes.smallCount, sizes.smallBytes, sizes.largeCount, sizes.largeBytes) = (2, 4096, 2, 4096)
    let segments = try SegmentPool(kernel: LinuxKernel(entries: 8), sizes: sizes)
    if encodes {
      try checkEncoding(rest, cut, segments)
    } else {
      try checkDecoding(rest, cut, segments)
    }
  }

  private static func checkDecoding(_ text: [UInt8], _ cut: Int, _ segments: SegmentPool) throws(Violation) {
    let expected = PlainBase64.decode(text)
    for step in [1, cut, max(1, text.count)] {
      try requireEqual(decoded(text, step, segments), expected, "decoded in pieces of \(step)")
    }
  }

  private static func checkEncoding(_ frames: [UInt8], _ cut: Int, _ segments: SegmentPool) throws(Violation) {
    let expected = PlainBase64.texts(ofFrames: frames)
    for step in [1, cut, max(1, frames.count)] {
      try requireEqual(encoded(frames, step, segments), expected, "encoded in pieces of \(step)")
    }
    try requireEqual(decoded(expected, cut, segments), frames, "decoded again")
  }

  /// nil when it is refused, or ends within a quad.
  private static func decoded(_ text: [UInt8], _ step: Int, _ segments: SegmentPool) -> [UInt8]? {
    var decoder = GRPCWebTextDecoder()
    var all: [UInt8] = []
    for from in stride(from: 0, to: text.count, by: step) {
      var data = queue(text[from..<min(from + step, text.count)], segments)
      guard decoder.decode(&data, segments) else { return nil }
      all += taken(&data, segments)
    }
    return decoder.isWithinQuad ? nil : all
  }

  private static func encoded(_ frames: [UInt8], _ step: Int, _ segments: SegmentPool) -> [UInt8] {
    var encoder = GRPCWebTextEncoder()
    var all: [UInt8] = []
    for from in stride(from: 0, to: frames.count, by: step) {
      let to = min(from + step, frames.count)
      var data = queue(frames[from..<to], segments)
      encoder.encode(&data, endsStream: to == frames.count, segments)
      all += taken(&data, segments)
    }
    return all
  }

  private static func queue(_ bytes: ArraySlice<UInt8>, _ segments: SegmentPool) -> SegmentQueue {
    var queue = SegmentQueue()
    bytes.withUnsafeBufferPointer { buffer in
      if let base = buffer.baseAddress { segments.copy(ByteView(base, buffer.count), to: &queue) }
    }
    return queue
  }

  private static func taken(_ queue: inout SegmentQueue, _ segments: SegmentPool) -> [UInt8] {
    var all: [UInt8] = []
    while let segment = queue.removeFirst() {
      all += ByteView(segment.pointee.base, segment.pointee.count).array
      segments.release(segment)
    }
    return all
  }
}
