import HTTPCore
import Primitives

extension Worker {
  /// Turns a reply of the proxy into one that a gRPC client understands: trailers only, whatever the protocol.
  ///
  /// - Parameters:
  ///   - status: Nil = what the reply's HTTP status means.
  ///   - message: What would be the body.
  func makeGRPCReply(_ stream: HTTPStreamRef, _ status: GRPCStatus?, message: ByteView) {
    let code = status ?? GRPCStatus(httpStatus: stream.pointee.info.responseCode)
    stream.pointee.info.responseCode = 200
    // JSON formats end with a newline that is no part of the message.
    let isJSON = stream.pointee.response.value(.contentType) == ByteView("application/json")
    stream.pointee.response.set(.status, ByteView("200"))
    stream.pointee.response.set(.contentType, ByteView("application/grpc"))
    stream.pointee.response.remove(.contentLength)
    // Whoever decorated the reply may have said more.
    if !stream.pointee.response.contains(.grpcStatus) {
      stream.pointee.response.append(.grpcStatus, stream.pointee.response.decimal(UInt64(code.code)))
    }
    guard !stream.pointee.has(.isHead) else { return }
    let ends = isJSON && !message.isEmpty && message[message.count - 1] == UInt8(ascii: "\n")
    let text = ends ? message.prefix(message.count - 1) : message
    if !text.isEmpty {
      stream.pointee.response.set(.grpcMessage, GRPCMessage.encoded(text, arena: &stream.pointee.arena))
    }
  }
}
