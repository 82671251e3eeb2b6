import HTTP2
import HTTPCore
import LoadBase
import Primitives

/// What the HTTP/2 connections of one thread share. Made on that thread.
final class ClientHTTP2 {
  private let arenas = ArenaPool()
  let memory: HTTP2Memory
  let options: HTTP2Options
  let compiled: UnsafeMutablePointer<CompiledHTTP2Request>
  private let compiledCount: Int
  /// Of heads that are not packed yet; emptied at the end of each turn.
  let turn: UnsafeMutablePointer<Arena>

  /// Requests that go before the server has said how many it takes (RFC 9113 section 6.5.2 recommends no fewer).
  private static let streamsBeforeSettings: UInt32 = 100

  init(_ layouts: [HTTP2RequestLayout]) {
    memory = HTTP2Memory(arenas: arenas)
    turn = .allocate(capacity: 1)
    turn.initialize(to: Arena(pool: arenas))
    compiledCount = layouts.count
    compiled = .allocate(capacity: max(1, layouts.count))
    for (at, layout) in layouts.enumerated() {
      (compiled + at).initialize(to: CompiledHTTP2Request(layout, arenas))
    }
    var options = HTTP2Options()
    options.maxConcurrentStreams = Self.streamsBeforeSettings
    // Windows are no limit: what comes is used at once.
    options.initialConnectionWindow = 1 << 30
    options.fieldCountMax = 256
    options.closesOnMalformed = false
    // A server under test may be wasteful; what it may not be is wrong.
    options.budgets.emptyFramesMax = .max
    options.budgets.priorityFramesPerStream = .max
    options.budgets.windowUpdatesPerData = .max
    options.budgets.controlBurst = .max
    self.options = options
  }

  deinit {
    for at in 0..<compiledCount { compiled[at].deallocate() }
    compiled.deallocate()
    turn.pointee.reset()
    turn.deallocate()
  }
}
