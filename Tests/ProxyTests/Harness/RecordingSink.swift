import HTTPCore
import Primitives
import Synchronization

@testable import Proxy

/// Writes down what it is told, and does at each event what the test says.
final class RecordingSink: ResponseSink, @unchecked Sendable {
  // Sendable: immutable but for the record, which has a mutex.
  typealias Reaction = @Sendable (Worker, InternalRequest) -> Void

  private let record = Mutex<[String]>([])
  private let reactions: [String: Reaction]

  /// - Parameter reactions: By the first word of an event.
  init(_ reactions: [String: Reaction] = [:]) { self.reactions = reactions }

  /// `head 200 x-a=1`, `data abc`, `trailers x-t=1`, `writable`, `ended`, `ended <cause> <details>`.
  var events: [String] { record.withLock { $0 } }
  /// All pieces of the body.
  var body: String { events.filter { $0.hasPrefix("data ") }.map { $0.dropFirst(5) }.joined() }
  var isEnded: Bool { events.last?.hasPrefix("ended") ?? false }

  private func note(_ word: String, _ rest: String, _ worker: Worker, _ request: InternalRequest) {
    record.withLock { $0.append(rest.isEmpty ? word : "\(word) \(rest)") }
    reactions[word]?(worker, request)
  }

  override func head(
    _ worker: Worker, _ request: InternalRequest, status: UInt16, headers: HeaderMap, ends: Bool
  ) {
    note("head", "\(status)\(ends ? " ends" : "")\(Self.extras(headers))", worker, request)
  }

  override func data(_ worker: Worker, _ request: InternalRequest, _ bytes: ByteView) {
    note("data", bytes.string, worker, request)
  }

  override func trailers(_ worker: Worker, _ request: InternalRequest, _ trailers: HeaderMap) {
    note("trailers", String(Self.extras(trailers).dropFirst()), worker, request)
  }

  override func writable(_ worker: Worker, _ request: InternalRequest) { note("writable", "", worker, request) }

  override func ended(_ worker: Worker, _ request: InternalRequest, _ failure: InternalRequest.Failure?) {
    note("ended", failure.map { "\($0.cause) \($0.details.string)" } ?? "", worker, request)
  }

  private static func extras(_ map: HeaderMap) -> String {
    var text = ""
    for i in 0..<map.slotCount where !map[slot: i].isRemoved && map[slot: i].name.string.hasPrefix("x-") {
      text += " \(map[slot: i].name.string)=\(map[slot: i].value.string)"
    }
    return text
  }
}

extension Worker {
  /// Starts `GET /` with what the test says.
  func startTestRequest(
    _ target: InternalRequest.Target = .cluster(0), sink: ResponseSink?, method: StaticString = "GET",
    body: String = "", ends: Bool = true, _ change: (inout InternalRequest.Settings) -> Void = { _ in }
  ) -> InternalRequest? {
    var settings = InternalRequest.Settings(target: target)
    change(&settings)
    let bytes = Array(body.utf8)
    return bytes.withUnsafeBufferPointer { buffer in
      let view = buffer.baseAddress.map { ByteView($0, buffer.count) } ?? .empty
      return startRequest(settings, body: view, ends: ends, sink: sink) { head in
        head.append(.method, ByteView(method))
        head.append(.path, ByteView("/inside"))
        head.append(.authority, ByteView("h"))
        head.append(.scheme, ByteView("http"))
        head.append(name: ByteView("x-from"), value: ByteView("inside"), known: .other)
      }
    }
  }

  @discardableResult
  func send(_ text: String, to request: InternalRequest, ends: Bool) -> Bool {
    Array(text.utf8).withUnsafeBufferPointer { buffer in
      send(buffer.baseAddress.map { ByteView($0, buffer.count) } ?? .empty, to: request, ends: ends)
    }
  }
}
