import HTTP2
import HTTPCore
import Primitives

/// What the HTTP/2 connections of one thread share. Made on that thread.
final class OriginHTTP2 {
  private let arenas = ArenaPool()
  let memory: HTTP2Memory
  let options: HTTP2Options
  /// Of heads that are not packed yet; emptied at the end of each turn.
  let turn: UnsafeMutablePointer<Arena>
  private let kept: UnsafeMutablePointer<Arena>
  /// The head of the usual answer.
  let usual: HeaderMap
  /// The trailers of a call that went well; at a fixed address, because the session is lent them.
  let goodTrailers: UnsafeMutablePointer<HeaderMap>

  init(_ plan: OriginPlan) {
    memory = HTTP2Memory(arenas: arenas)
    turn = .allocate(capacity: 1)
    turn.initialize(to: Arena(pool: arenas))
    kept = .allocate(capacity: 1)
    kept.initialize(to: Arena(pool: arenas))
    var answer = OriginAnswer()
    answer.bodyBytes = plan.bodyBytes
    answer.isChunked = plan.isChunked
    usual = Self.head(answer, isGRPC: plan.isGRPC, in: kept)
    goodTrailers = .allocate(capacity: 1)
    goodTrailers.initialize(to: Self.trailers(.ok, in: kept))
    var options = HTTP2Options()
    // Request bodies are discarded as they come: windows are no limit.
    options.initialConnectionWindow = 1 << 30
    options.closesOnMalformed = false
    self.options = options
  }

  deinit {
    turn.pointee.reset()
    turn.deallocate()
    kept.pointee.reset()
    kept.deallocate()
    goodTrailers.deallocate()
  }

  /// The head of an answer; a call's carries its status when there is no message.
  static func head(_ answer: OriginAnswer, isGRPC: Bool, in arena: UnsafeMutablePointer<Arena>) -> HeaderMap {
    var map = HeaderMap(arena: arena, capacity: 4)
    if isGRPC {
      map.append(.status, ByteView("200"))
      map.append(.contentType, ByteView("application/grpc"))
      if answer.grpcStatus != .ok { map.append(.grpcStatus, decimal(Int(answer.grpcStatus.code), arena)) }
      return map
    }
    map.append(.status, decimal(Int(answer.status), arena))
    map.append(.contentType, ByteView("text/plain"))
    if !answer.isChunked, answer.status != 204 { map.append(.contentLength, decimal(answer.bodyBytes, arena)) }
    return map
  }

  private static func trailers(_ status: GRPCStatus, in arena: UnsafeMutablePointer<Arena>) -> HeaderMap {
    var map = HeaderMap(arena: arena, capacity: 1)
    map.append(.grpcStatus, decimal(Int(status.code), arena))
    return map
  }

  private static func decimal(_ value: Int, _ arena: UnsafeMutablePointer<Arena>) -> ByteView {
    let target = arena.pointee.allocate(20)
    return ByteView(target, Decimal.write(UInt64(value), to: target))
  }
}
