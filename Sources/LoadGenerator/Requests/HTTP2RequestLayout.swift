import HTTPCore
import LoadBase

/// The fields of one kind of request over HTTP/2, in the order in which they are sent.
struct HTTP2RequestLayout: Sendable {
  struct Field: Sendable {
    var name: String
    var value: [RequestLayout.Piece]

    init(_ name: String, _ value: [RequestLayout.Piece]) {
      self.name = name
      self.value = value
    }

    init(_ name: String, _ text: String) {
      self.init(name, [.template(.literal(Array(text.utf8)))])
    }
  }

  let fields: [Field]
  let method: RequestMethod
  let body: RequestBody
  /// The body is the message of a call, which five bytes announce.
  let isGRPC: Bool

  /// Bytes of one head: what any server takes, and what one frame holds.
  private static let headBytesMax = 16_000

  /// - Parameter checked: The same request for HTTP/1: what cannot be sent was found there.
  init(_ plan: RequestPlan, checked: RequestLayout, scheme: String, isGRPC: Bool) throws(UsageError) {
    method = checked.method
    body = plan.body
    self.isGRPC = isGRPC
    let host = plan.headers.last { $0.name.lowercased() == "host" }
    var fields = [
      Field(":method", plan.method), Field(":scheme", scheme), Field(":authority", host?.value ?? plan.authority),
      Field(":path", try PathTemplate(plan.path).pieces.map { .template($0) }),
    ]
    if isGRPC {
      fields.append(Field("te", "trailers"))
      if !plan.headers.contains(where: { $0.name.lowercased() == "content-type" }) {
        fields.append(Field("content-type", "application/grpc"))
      }
    }
    for header in plan.headers {
      let name = header.name.lowercased()
      guard !Self.isOfConnection(name) else { continue }
      fields.append(Field(name, header.value))
    }
    if !isGRPC, plan.body != .none { fields.append(Field("content-length", [.bodyLength])) }
    self.fields = fields
    guard fields.reduce(0, { $0 + $1.name.utf8.count + 32 + Self.bytesMax($1.value) }) <= Self.headBytesMax else {
      throw UsageError("the head of a request is larger than \(Self.headBytesMax) bytes")
    }
  }

  /// Fields that HTTP/2 has other means for (RFC 9113 section 8.2.2).
  private static func isOfConnection(_ name: String) -> Bool {
    ["host", "connection", "keep-alive", "proxy-connection", "upgrade", "te"].contains(name)
  }

  private static func bytesMax(_ pieces: [RequestLayout.Piece]) -> Int {
    pieces.reduce(0) { sum, piece in
      if case .template(.literal(let text)) = piece { return sum + text.count }
      return sum + 36
    }
  }
}
