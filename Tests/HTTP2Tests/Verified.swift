import HTTP2
import HTTP2Harness
import Testing

/// The outcome of a client's bytes behind its preface and SETTINGS, however they are cut.
func served(
  _ bytes: [UInt8], _ options: HTTP2Options = HTTP2Options(), answers: Bool = false,
  start: [UInt8] = Wire.clientStart, then: (SessionRecorder) -> Void = { _ in },
  at location: SourceLocation = #_sourceLocation
) -> SessionOutcome {
  let (outcome, differing) = SessionOutcome.verified(
    start + bytes,
    make: {
      let recorder = SessionRecorder(server: options)
      recorder.answers = answers
      return recorder
    }, then: then)
  for difference in differing { Issue.record("\(difference)", sourceLocation: location) }
  return outcome
}

/// The outcome of a server's bytes behind its SETTINGS, for a client with some requests out.
func answered(
  _ bytes: [UInt8], _ options: HTTP2Options = HTTP2Options(),
  requests: [(SessionRecorder) -> Void] = [{ $0.request() }],
  then: (SessionRecorder) -> Void = { _ in }, at location: SourceLocation = #_sourceLocation
) -> SessionOutcome {
  let (outcome, differing) = SessionOutcome.verified(
    Wire.settings() + bytes,
    make: {
      let recorder = SessionRecorder(client: options)
      for request in requests { request(recorder) }
      recorder.drain()
      return recorder
    }, then: then)
  for difference in differing { Issue.record("\(difference)", sourceLocation: location) }
  return outcome
}

extension HTTP2Options {
  /// Malformed messages end their stream only.
  static var lenient: HTTP2Options {
    var options = HTTP2Options()
    options.closesOnMalformed = false
    return options
  }
}
