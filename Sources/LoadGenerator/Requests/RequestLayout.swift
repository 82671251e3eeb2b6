import HTTP1
import HTTPCore
import LoadBase
import Primitives

/// The bytes of one kind of request as pieces: what is fixed, and what is filled in each time.
struct RequestLayout: Sendable {
  enum Piece: Equatable, Sendable {
    case template(PathTemplate.Piece)
    /// The length of a body that is drawn anew each time.
    case bodyLength
  }

  let pieces: [Piece]
  let method: RequestMethod
  let body: RequestBody

  /// - Throws: One sentence about a method, path or header that cannot be sent.
  init(_ plan: RequestPlan, closes: Bool) throws(UsageError) {
    guard !plan.method.isEmpty, plan.method.utf8.count <= MessageRules.methodBytesMax,
      plan.method.utf8.allSatisfy(ASCII.isToken)
    else { throw UsageError("--method \(plan.method): not a method") }
    if plan.method == "CONNECT" { throw UsageError("--method CONNECT: tunnels are not supported") }
    method =
      switch plan.method {
      case "GET": .get
      case "HEAD": .head
      case "OPTIONS": .options
      default: .other
      }
    body = plan.body

    var pieces: [Piece] = []
    Self.append("\(plan.method) ", to: &pieces)
    for piece in try PathTemplate(plan.path).pieces { pieces.append(.template(piece)) }
    Self.append(" HTTP/1.1\r\n", to: &pieces)
    if !plan.headers.contains(where: { $0.name.lowercased() == "host" }) {
      Self.append("Host: \(plan.authority)\r\n", to: &pieces)
    }
    for header in plan.headers {
      try Self.check(header)
      Self.append("\(header.name): \(header.value)\r\n", to: &pieces)
    }
    if closes { Self.append("Connection: close\r\n", to: &pieces) }
    switch plan.body {
    case .none: break
    case .bytes(let bytes): Self.append("Content-Length: \(bytes.count)\r\n", to: &pieces)
    case .size(let low, let high) where low == high:
      Self.append("Content-Length: \(low)\r\n", to: &pieces)
    case .size:
      Self.append("Content-Length: ", to: &pieces)
      pieces.append(.bodyLength)
      Self.append("\r\n", to: &pieces)
    }
    Self.append("\r\n", to: &pieces)
    self.pieces = Self.joined(pieces)
  }

  /// Fields that say how the message is framed are the generator's own.
  private static func check(_ header: RequestPlan.Header) throws(UsageError) {
    guard header.name.utf8.allSatisfy(ASCII.isToken),
      header.value.utf8.allSatisfy({ $0 >= 32 && $0 != 127 || $0 == 9 })
    else { throw UsageError("-H '\(header.name): \(header.value)': not a valid header") }
    switch header.name.lowercased() {
    case "content-length", "transfer-encoding":
      throw UsageError("-H '\(header.name)': the length follows from --body; leave the header out")
    case "connection" where header.value.lowercased() == "close":
      throw UsageError("-H 'Connection: close': say --new-connection-per-request")
    default: break
    }
  }

  private static func append(_ text: String, to pieces: inout [Piece]) {
    pieces.append(.template(.literal(Array(text.utf8))))
  }

  /// Neighbouring literals as one.
  private static func joined(_ pieces: [Piece]) -> [Piece] {
    var result: [Piece] = []
    for piece in pieces {
      if case .template(.literal(let more)) = piece,
        case .template(.literal(let before))? = result.last
      {
        result[result.count - 1] = .template(.literal(before + more))
      } else {
        result.append(piece)
      }
    }
    return result
  }
}
