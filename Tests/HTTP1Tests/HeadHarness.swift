import HTTPCore
import Primitives

@testable import HTTP1

/// What came of a head, in a form that two runs can be compared by.
enum Outcome: Equatable, CustomStringConvertible {
  case needMore
  case failed(HTTP1Error)
  case request(Request)
  case response(Response)

  struct Request: Equatable {
    var length: Int
    var fields: [String]
    var framing: BodyFraming
    var keepAlive: Bool
    var expectContinue: Bool
    var isUpgrade: Bool
    var isHTTP10: Bool
    var form: RequestHead.TargetForm
  }

  struct Response: Equatable {
    var length: Int
    var status: UInt16
    var fields: [String]
    var framing: BodyFraming
    var keepAlive: Bool
    var isTunnel: Bool
  }

  var description: String {
    switch self {
    case .needMore: "needMore"
    case .failed(let error): "failed(\(error))"
    case .request(let request): "\(request)"
    case .response(let response): "\(response)"
    }
  }

  var error: HTTP1Error? { if case .failed(let error) = self { error } else { nil } }
  var request: Request? { if case .request(let request) = self { request } else { nil } }
  var response: Response? { if case .response(let response) = self { response } else { nil } }
}

/// The bytes in memory of exactly their size, so that a tool that watches memory sees every read
/// beyond them.
func withExactCopy<R>(_ bytes: some Collection<UInt8>, _ body: (ByteView) -> R) -> R {
  let copy = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: max(1, bytes.count))
  defer { copy.deallocate() }
  _ = copy.update(from: bytes)
  guard let base = copy.baseAddress else { return body(.empty) }
  return body(ByteView(base, bytes.count))
}

/// Runs `body` with an arena that is checked for leaks.
func withArena<R>(_ body: (UnsafeMutablePointer<Arena>) -> R) -> R {
  let pool = ArenaPool()
  return withExtendedLifetime(pool) {
    let arena = UnsafeMutablePointer<Arena>.allocate(capacity: 1)
    arena.initialize(to: Arena(pool: pool))
    defer {
      arena.pointee.reset()
      precondition(pool.lentCount == 0)
      arena.deallocate()
    }
    return body(arena)
  }
}

func describe(_ map: HeaderMap) -> [String] {
  (0..<map.slotCount).compactMap { slot in
    let field = map[slot: slot]
    if field.isRemoved { return nil }
    let known = KnownHeaderTable.shared.find(field.name)
    precondition(field.known == known || field.known.isPseudo)
    return "\(field.name.string): \(field.value.string)"
  }
}

/// One way to parse a head, for the checks that run it cut in pieces.
struct HeadParser {
  var limits = HTTP1Limits()
  var options = HTTP1RequestOptions()
  var keepUpgrade = false
  /// Nil: requests. Otherwise responses to this method.
  var responseTo: RequestHead.Method?

  func parse(_ bytes: some Collection<UInt8>) -> Outcome {
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
    _ view: ByteView, _ method: RequestHead.Method, _ table: inout FieldTable
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
  func parse(_ bytes: [UInt8], ends: some Sequence<Int>) -> Outcome {
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
  func parseEveryWay(_ bytes: [UInt8]) -> (outcome: Outcome, differing: [String]) {
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

extension String {
  /// Bytes of a message written with one byte per Unicode scalar below 256.
  var wire: [UInt8] { unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) } }
}
