import HTTP2

/// What a session made of some bytes: the same however they are cut.
package struct SessionOutcome: Equatable, CustomStringConvertible {
  package var events: [String]
  package var frames: [String]
  package var counters: HTTP2Counters
  package var activeCount: Int

  package init(_ recorder: SessionRecorder) {
    events = recorder.events
    frames = recorder.frames
    counters = recorder.session.pointee.counters
    activeCount = recorder.session.pointee.activeCount
  }

  package var description: String { "\(events) -> \(frames) \(counters)" }

  /// Feeds `bytes` whole, byte by byte and cut at every position.
  ///
  /// - Parameters:
  ///   - make: A session, ready for the bytes.
  ///   - then: What the owner does when all has come, before the output is looked at.
  /// - Returns: The outcome of the whole, and how others differ.
  package static func verified(
    _ bytes: [UInt8], make: () -> SessionRecorder, then: (SessionRecorder) -> Void = { _ in }
  ) -> (SessionOutcome, differing: [String]) {
    func outcome(_ ends: [Int]) -> SessionOutcome {
      let recorder = make()
      recorder.feed(bytes, ends: ends)
      then(recorder)
      recorder.drain()
      return SessionOutcome(recorder)
    }
    let whole = outcome([bytes.count])
    var differing: [String] = []
    func check(_ name: String, _ ends: [Int]) {
      if differing.count > 3 { return }
      let other = outcome(ends)
      if other != whole { differing.append("\(name): \(other) instead of \(whole)") }
    }
    if bytes.isEmpty { return (whole, []) }
    check("byte by byte", Array(1...bytes.count))
    // Every cut of a long vector would take too long; its frame headers are at the beginning.
    for cut in 0..<min(bytes.count, 600) { check("cut at \(cut)", [cut, bytes.count]) }
    return (whole, differing)
  }
}
