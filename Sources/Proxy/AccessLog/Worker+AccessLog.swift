import Format
import HTTPCore
import Primitives
import Reactor
import Stats

extension Worker {
  /// Writes the records of a request that has ended.
  func logStream(_ stream: HTTPStreamRef) {
    noteStream(stream)
    let manager = stream.pointee.manager
    if !manager.pointee.accessLogs.isEmpty {
      write(manager.pointee.accessLogs.entries.buffer, stream)
    }
  }

  typealias Entries = UnsafeMutableBufferPointer<AccessLogList.Entry>

  private func write(_ entries: Entries, _ stream: HTTPStreamRef) {
    let place = UnsafeMutableRawPointer(stream)
    let info = place.advanced(by: Self.infoOffset).assumingMemoryBound(to: StreamInfo.self)
    let request = place.advanced(by: Self.requestOffset).assumingMemoryBound(to: HeaderMap.self)
    let response = place.advanced(by: Self.responseOffset).assumingMemoryBound(to: HeaderMap.self)
    let trailers = place.advanced(by: Self.trailersOffset).assumingMemoryBound(to: HeaderMap.self)
    write(entries, info, request, response, trailers, .downstreamEnd)
  }

  // Computed, not stored: the compiler folds each into a number, where a static `let` costs a call
  // of swift_once whenever it is read.
  @inline(__always)
  static var infoOffset: Int { MemoryLayout<HTTPStream>.offset(of: \HTTPStream.info) ?? 0 }
  @inline(__always)
  static var requestOffset: Int { MemoryLayout<HTTPStream>.offset(of: \HTTPStream.request) ?? 0 }
  @inline(__always)
  static var responseOffset: Int { MemoryLayout<HTTPStream>.offset(of: \HTTPStream.response) ?? 0 }
  @inline(__always)
  static var requestTrailersOffset: Int {
    MemoryLayout<HTTPStream>.offset(of: \HTTPStream.requestTrailers) ?? 0
  }
  @inline(__always)
  static var trailersOffset: Int {
    MemoryLayout<HTTPStream>.offset(of: \HTTPStream.responseTrailers) ?? 0
  }

  func write(
    _ entries: Entries, _ info: UnsafeMutablePointer<StreamInfo>,
    _ request: UnsafeMutablePointer<HeaderMap>?, _ response: UnsafeMutablePointer<HeaderMap>?,
    _ trailers: UnsafeMutablePointer<HeaderMap>?, _ kind: AccessLogType
  ) {
    let stable = request.flatMap { RequestID.stableRandom($0.pointee.value(.xRequestID)) }
    for i in entries.indices {
      if let filter = entries[i].filterReference {
        let accepted = filter._withUnsafeGuaranteedRef {
          $0.accepts(info, request: request, stableRandom: stable, random: &random)
        }
        if !accepted { continue }
      }
      let context = FormatContext(
        stream: info, requestHeaders: request.map { UnsafePointer($0) },
        responseHeaders: response.map { UnsafePointer($0) },
        responseTrailers: trailers.map { UnsafePointer($0) }, timeCache: http.timeCache,
        random: formatRandom, logType: kind)
      var sink = ByteSink(http.line, capacity: HTTPScratch.lineBytesMax)
      entries[i].program.write(context: context, to: &sink)
      logRing.write(target: entries[i].target, sink.written)
    }
  }

  /// Writes the records of a TCP connection that has ended.
  func logTCP(_ session: TCPSessionRef) {
    let info = UnsafeMutableRawPointer(session)
      .advanced(by: Self.sessionInfoOffset).assumingMemoryBound(to: StreamInfo.self)
    let logs = session.pointee.config.pointee.accessLogs.entries.buffer
    if !logs.isEmpty { write(logs, info, nil, nil, nil, .tcpConnectionEnd) }
  }

  @inline(__always)
  private static var sessionInfoOffset: Int {
    MemoryLayout<TCPSession>.offset(of: \TCPSession.info) ?? 0
  }
}
