import LoadBase

extension PlanBuilder {
  /// Which version of HTTP the options ask for, or allow.
  func version(isTLS: Bool) throws(UsageError) -> HTTPVersionChoice {
    if options.http1, options.http2 || options.grpc {
      throw UsageError("--http1 and \(options.grpc ? "--grpc" : "--http2") exclude each other")
    }
    if options.grpc, options.expectStatus != nil {
      throw UsageError("--expect-status has no meaning with --grpc: a call is right with status 200 and grpc-status 0")
    }
    let streams = try streams()
    let isHTTP2 = options.http2 || options.grpc
    if streams > 1, !isHTTP2, !isTLS || options.http1 {
      throw UsageError("--streams \(streams): needs HTTP/2; say --http2")
    }
    if options.pipeline > 1 {
      if isHTTP2 || streams > 1 { throw UsageError("--pipeline is for HTTP/1; say --streams for HTTP/2") }
      return .http1
    }
    if isHTTP2 { return .http2 }
    if options.http1 || !isTLS { return .http1 }
    // So many requests at once are not to become one at a time without a word.
    return streams > 1 ? .http2 : .negotiated
  }

  private func streams() throws(UsageError) -> Int {
    guard let streams = options.streams else { return 1 }
    guard (1...100_000).contains(streams) else { throw UsageError("--streams \(streams): expected 1 to 100000") }
    if streams > 1, options.newConnectionPerRequest {
      throw UsageError("--streams and --new-connection-per-request exclude each other")
    }
    return streams
  }
}
