import HTTPCore
import Primitives
import Reactor

/// The five bytes in front of each message of gRPC: flags and a length (grpc.io, "gRPC over HTTP2").
enum GRPCFrame {
  static let headBytes = 5
  /// The flag of gRPC-Web's frame of trailers.
  static let trailersFlag: UInt8 = 0x80

  static func write(flags: UInt8, count: Int, to target: UnsafeMutablePointer<UInt8>) {
    target[0] = flags
    for i in 0..<4 { target[1 + i] = UInt8(truncatingIfNeeded: count >> (24 - 8 * i)) }
  }
}

extension FilterContext {
  /// The head of a message that is `count` bytes long.
  func grpcHead(count: Int) -> ByteView {
    let head = arena.pointee.allocate(GRPCFrame.headBytes)
    GRPCFrame.write(flags: 0, count: count, to: head)
    return ByteView(head, GRPCFrame.headBytes)
  }

  /// The request's content type, when it has one.
  var requestContentType: ByteView { requestHeaders.pointee.value(.contentType) ?? .empty }
  var responseContentType: ByteView { responseHeaders.pointee.value(.contentType) ?? .empty }
}
