import HTTP1
import HTTPCore
import HTTPHarness
import Primitives

/// One way to parse a head, for the checks that run it cut in pieces.
package struct HeadParser {
  package var limits: HTTP1Limits
  package var options: HTTP1RequestOptions
  package var keepUpgrade: Bool
  /// Nil: requests. Otherwise responses to this method.
  package var responseTo: RequestMethod?

  package init(
    limits: HTTP1Limits = HTTP1Limits(), options: HTTP1RequestOptions = HTTP1RequestOptions(),
    keepUpgrade: Bool = false, responseTo: RequestMethod? = nil
  ) {
    self.limits = limits
    self.options = options
    self.keepUpgrade = keepUpgrade
    self.responseTo = responseTo
  }

  package func parse(_ bytes: some Collection<UInt8>) -> Outcome {
    withExactCopy(bytes) { view in
      var table = FieldTable(capacity: 128)
      defer { table.deallocate() }
      if let responseTo { return response(view, responseTo, &table) }
      return request(view, &table)
    }
  }

  private func request(_ view: ByteView, _ table: inout FieldTable) -> Outcome {
    var head = RequestHead()
    switch HTTP1RequestParser.parse(
      view, limits: limits, options: options, table: &table, into: &head)
    {
    case .needMore: return .needMore
    case .failed(let error): return .failed(error)
    case .complete(let length):
      return withArena { arena in
        let copy = arena.pointee.allocate(length)
        copy.update(from: view.base, count: length)
        var map = HeaderMap(arena: arena)
        HTTP1RequestParser.build(
          head, copied: copy, table: table, keepUpgrade: keepUpgrade, into: &map)
        return .request(
          Outcome.Request(
            length: length, fields: describe(map), framing: head.framing,
            keepAlive: head.keepAlive, expectContinue: head.expectContinue,
            isUpgrade: head.isUpgrade, isHTTP10: head.isHTTP10, form: head.form))
      }
    }
  }

  private func response(
    _ view: ByteView, _ method: RequestMethod, _ table: inout FieldTable
  ) -> Outcome {
    var head = ResponseHead()
    switch HTTP1ResponseParser.parse(
      view, method: method, limits: limits, table: &table, into: &head)
    {
    case .needMore: return .needMore
    case .failed(let error): return .failed(error)
    case .complete(let length):
      return withArena { arena in
        let copy = arena.pointee.allocate(length)
        copy.update(from: view.base, count: length)
        var map = HeaderMap(arena: arena)
        HTTP1ResponseParser.build(
          head, copied: copy, table: table, keepUpgrade: keepUpgrade, into: &map)
        return .response(
          Outcome.Response(
            length: length, status: head.status, fields: describe(map), framing: head.framing,
            keepAlive: head.keepAlive, isTunnel: head.isTunnel))
      }
    }
  }

  /// As a connection does it: parse the first piece, then the scanner decides about each addition.
  /// - Parameter ends: Where the pieces end, ascending.
  package func parse(_ bytes: [UInt8], ends: some Sequence<Int>) -> Outcome {
    var scanner = responseTo == nil ? HeadScanner.request() : HeadScanner.response()
    var isFirst = true
    for end in ends {
      let prefix = bytes[..<end]
      if isFirst {
        isFirst = false
        let outcome = parse(prefix)
        if outcome != .needMore { return outcome }
      }
      switch withExactCopy(prefix, { scanner.scan($0, limits: limits) }) {
      case .needMore: continue
      case .failed(let error): return .failed(error)
      case .mayBeComplete:
        let outcome = parse(prefix)
        precondition(outcome != .needMore, "the scanner saw the end, the parser did not")
        return outcome
      }
    }
    return .needMore
  }

  /// The outcome of the whole, and every other way of cutting that has another outcome.
  package func parseEveryWay(_ bytes: [UInt8]) -> (outcome: Outcome, differing: [String]) {
    let whole = parse(bytes)
    var differing: [String] = []
    func check(_ name: String, _ outcome: Outcome) {
      if outcome != whole { differing.append("\(name): \(outcome) instead of \(whole)") }
    }
    if bytes.isEmpty { return (whole, differing) }
    check("byte by byte", parse(bytes, ends: 1...bytes.count))
    check("by threes", parse(bytes, ends: stride(from: 3, to: bytes.count, by: 3) + [bytes.count]))
    for cut in 0..<bytes.count {
      check("cut at \(cut)", parse(bytes, ends: [cut, bytes.count]))
    }
    return (whole, differing)
  }
}

private func + (a: StrideTo<Int>, b: [Int]) -> [Int] { Array(a) + b }
