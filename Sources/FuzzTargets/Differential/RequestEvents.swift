import HTTP1
import HTTP1Harness
import HTTPCore
import HTTPHarness
import Primitives

/// What the codec sees in the bytes of one connection: the requests one after the other, and how it
/// ends. The other side of `tools/fuzz-differential`.
package struct RequestEvents {
  package struct Request: Equatable {
    package var method: [UInt8]
    package var target: [UInt8]
    /// Names in lower case, values trimmed, all of them in order.
    package var fields: [(name: [UInt8], value: [UInt8])]
    package var body: [UInt8] = []
    /// As `fields`, before those that have no place in trailers are dropped.
    package var trailers: [(name: [UInt8], value: [UInt8])] = []
    /// Bytes of the connection up to the end of this request; nil when it is cut short.
    package var end: Int?

    package static func == (a: Request, b: Request) -> Bool {
      a.method == b.method && a.target == b.target && a.body == b.body && a.end == b.end
        && a.fields.elementsEqual(b.fields) { $0 == $1 }
        && a.trailers.elementsEqual(b.trailers) { $0 == $1 }
    }
  }

  package enum Ending: Equatable {
    /// Between two requests.
    case idle
    case needMore
    case failed(HTTP1Error)
    /// The last request asked to close, or made the connection a tunnel.
    case closed
  }

  package private(set) var requests: [Request] = []
  package private(set) var ending = Ending.idle
  private let limits = HTTP1Limits()
  private let options = HTTP1RequestOptions(acceptHTTP10: true)

  /// Every tunnel is granted and every upgrade declined.
  package init(_ bytes: [UInt8]) {
    var at = 0
    while at < bytes.count {
      let rest = Array(bytes[at...])
      guard let taken = takeRequest(rest, at) else { return }
      at += taken
      if ending == .closed { return }
    }
  }

  /// - Returns: Bytes taken; nil when the connection goes on no further.
  private mutating func takeRequest(_ rest: [UInt8], _ start: Int) -> Int? {
    var table = FieldTable(capacity: 128)
    defer { table.deallocate() }
    var head = RequestHead()
    var request = Request(method: [], target: [], fields: [])
    let outcome = withExactCopy(rest) { view in
      let outcome = HTTP1RequestParser.parse(
        view, limits: limits, options: options, table: &table, into: &head)
      if case .complete = outcome {
        request.method = head.method(in: view).array
        request.target = head.target(in: view).array
        request.fields = Self.fields(table, view)
      }
      return outcome
    }
    switch outcome {
    case .needMore:
      ending = .needMore
      return nil
    case .failed(let error):
      ending = .failed(error)
      return nil
    case .complete(let length):
      let taken = takeBody(Array(rest[length...]), head.framing, &request).map { length + $0 }
      request.end = taken.map { start + $0 }
      requests.append(request)
      if taken != nil, !head.keepAlive || head.method == .connect {
        ending = .closed
      }
      return taken
    }
  }

  private mutating func takeBody(
    _ rest: [UInt8], _ framing: BodyFraming, _ request: inout Request
  ) -> Int? {
    switch framing {
    case .none, .untilClose: return 0
    case .length(let length):
      var decoder = LengthDecoder(length: length)
      let taken = decoder.take(rest.count)
      request.body = Array(rest[..<taken])
      if decoder.isComplete { return taken }
      ending = .needMore
      return nil
    case .chunked:
      let decoded = decodeChunks(rest, ends: [rest.count], limits: limits)
      request.body = decoded.content
      request.trailers = trailerFields(decoded.trailers)
      switch decoded.ending {
      case .end(let left): return rest.count - left
      case .needMore: ending = .needMore
      case .failed(let error): ending = .failed(error)
      }
      return nil
    }
  }

  private func trailerFields(_ section: [UInt8]) -> [(name: [UInt8], value: [UInt8])] {
    withExactCopy(section) { view in
      var table = FieldTable(capacity: 128)
      defer { table.deallocate() }
      let error = HTTP1Trailers.parse(view, limits: limits, table: &table)
      return error == nil ? Self.fields(table, view) : []
    }
  }

  private static func fields(
    _ table: FieldTable, _ view: ByteView
  ) -> [(name: [UInt8], value: [UInt8])] {
    (0..<table.count).map { i in
      (table[i].name(in: view).array.map(ASCII.lowercase), table[i].value(in: view).array)
    }
  }
}
