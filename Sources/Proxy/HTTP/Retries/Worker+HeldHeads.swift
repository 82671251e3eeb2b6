import HTTP1
import HTTPCore
import Primitives
import Stats

/// gRPC statuses in trailers: where a route wants them to be reasons to repeat, a response's head waits for what follows
/// it. With data it goes on, and so with trailers that are no reason.
extension Worker {
  /// Whether the head of a response stays here until its first data or its trailers.
  @inline(__always)
  func holdsHead(_ stream: HTTPStreamRef, ends: Bool) -> Bool {
    guard let plan = stream.pointee.upstream.plan, !ends else { return false }
    return holdsHead(stream, plan)
  }

  private func holdsHead(_ stream: HTTPStreamRef, _ plan: UnsafeMutablePointer<AttemptPlan>) -> Bool {
    guard plan.pointee.flags.contains(.judgesTrailers), stream.pointee.upstream.head.status == 200,
      !stream.pointee.response.contains(.grpcStatus),
      let type = stream.pointee.response.value(.contentType), GRPC.isGRPC(contentType: type)
    else { return false }
    plan.pointee.flags.insert(.holdsHead)
    return true
  }

  @inline(__always)
  func isHeadHeld(_ stream: HTTPStreamRef) -> Bool {
    guard let plan = stream.pointee.upstream.plan else { return false }
    return plan.pointee.flags.contains(.holdsHead)
  }

  /// The first data, or trailers that are no reason to repeat: the head goes on.
  ///
  /// - Returns: False when the stream has left its connection in the course of it.
  func releaseHead(_ connection: ConnectionRef, _ stream: HTTPStreamRef) -> Bool {
    guard let plan = stream.pointee.upstream.plan else { return false }
    plan.pointee.flags.remove(.holdsHead)
    upstreamHTTP2HeadGoesOn(connection, stream, stream.pointee.upstream.head.status, ends: false)
    return stream.pointee.upstream.connection == connection
  }
}
