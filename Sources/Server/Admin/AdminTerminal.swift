import HTTPCore
import Primitives
import Proxy
import Reactor

/// Answers the requests of the admin listener, on the main thread.
///
/// Long answers go out in slices, one a turn of the loop, so that health checks are answered in between.
public final class AdminTerminal: HTTPTerminal, @unchecked Sendable {
  // Sendable: used on the main thread only.

  /// Bytes that are made in one turn.
  static let sliceBytes = 32 * 1024
  /// A slice that takes longer to make ends with the piece that it is at: a filter may look at much and
  /// take nothing.
  static let sliceNanoseconds: UInt64 = 1_000_000

  private let endpoints: AdminEndpoints

  /// - Parameter delegate: Not retained.
  public init(delegate: any AdminDelegate) {
    endpoints = AdminEndpoints(delegate: delegate)
    super.init()
  }

  public override func request(_ worker: Worker, _ stream: HTTPStreamRef, endsStream: Bool) {
    // A body means nothing here, but the answer waits for its end, so that the connection can go on.
    if endsStream { answer(worker, stream) }
  }

  public override func requestData(
    _ worker: Worker, _ stream: HTTPStreamRef, _ data: inout SegmentQueue, endsStream: Bool
  ) {
    if endsStream { answer(worker, stream) }
  }

  public override func writable(_ worker: Worker, _ stream: HTTPStreamRef) {
    guard let state = stream.pointee.terminalState else { return }
    writeSlice(Unmanaged<AdminPieces>.fromOpaque(state).takeUnretainedValue(), worker, stream)
  }

  public override func streamEnded(_ worker: Worker, _ stream: HTTPStreamRef) { drop(stream) }

  private func answer(_ worker: Worker, _ stream: HTTPStreamRef) {
    let response = endpoints.answer(AdminRequest(stream.pointee.request))
    let headers = Self.headers(response.contentType)
    switch response.body {
    case .complete(let bytes):
      worker.respond(stream, status: response.status, headers: headers, body: bytes)
    case .pieces(let pieces):
      guard worker.beginResponse(stream, status: response.status, headers: headers) else { return }
      stream.pointee.terminalState = Unmanaged.passRetained(pieces).toOpaque()
      worker.resume(stream)
    }
  }

  private func writeSlice(_ pieces: AdminPieces, _ worker: Worker, _ stream: HTTPStreamRef) {
    var slice: [UInt8] = []
    slice.reserveCapacity(Self.sliceBytes)
    let deadline = worker.kernel.monotonicNow() &+ Self.sliceNanoseconds
    var hasMore = true
    repeat {
      hasMore = pieces.next(into: &slice)
    } while hasMore && slice.count < Self.sliceBytes && worker.kernel.monotonicNow() < deadline
    let hasRoom = slice.isEmpty || worker.write(stream, slice)
    if !hasMore {
      drop(stream)
      worker.endResponse(stream)
    } else if hasRoom {
      worker.resume(stream)
    }
  }

  private func drop(_ stream: HTTPStreamRef) {
    guard let state = stream.pointee.terminalState else { return }
    stream.pointee.terminalState = nil
    Unmanaged<AdminPieces>.fromOpaque(state).release()
  }

  private static func headers(_ type: AdminResponse.ContentType) -> [Worker.TerminalHeader] {
    let contentType: StaticString =
      switch type {
      case .text: "text/plain; charset=UTF-8"
      case .json: "application/json"
      case .html: "text/html; charset=UTF-8"
      case .prometheus: "text/plain; version=0.0.4; charset=UTF-8"
      }
    return [(.contentType, contentType), (.cacheControl, "no-cache, max-age=0")]
  }
}
