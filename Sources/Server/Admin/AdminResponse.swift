/// An answer of the admin page.
struct AdminResponse {
  enum ContentType { case text, json, html, prometheus }

  enum Body {
    case complete([UInt8])
    /// Made piece by piece while the client takes it.
    case pieces(AdminPieces)
  }

  var status: UInt16
  var contentType: ContentType
  var body: Body

  static func text(_ text: String, status: UInt16 = 200) -> AdminResponse {
    AdminResponse(status: status, contentType: .text, body: .complete(Array(text.utf8)))
  }

  static func badRequest(_ sentence: String) -> AdminResponse { text(sentence, status: 400) }

  static var ok: AdminResponse { text("OK\n") }

  static func html(_ text: String) -> AdminResponse {
    AdminResponse(status: 200, contentType: .html, body: .complete(Array(text.utf8)))
  }

  static func json(_ value: JSONValue) -> AdminResponse {
    var bytes: [UInt8] = []
    value.print(into: &bytes)
    bytes.append(UInt8(ascii: "\n"))
    return AdminResponse(status: 200, contentType: .json, body: .complete(bytes))
  }

  static func pieces(_ pieces: AdminPieces, _ contentType: ContentType) -> AdminResponse {
    AdminResponse(status: 200, contentType: contentType, body: .pieces(pieces))
  }
}

/// A body that is made piece by piece, so that a long one never holds up the thread.
class AdminPieces {
  /// Appends the next piece: up to a few KiB, and no more than a fraction of a millisecond of work.
  ///
  /// - Returns: True as long as there is more.
  func next(into output: inout [UInt8]) -> Bool { false }
}

/// A body whose pieces are numbered: one for a host, a cluster, a listener.
final class NumberedPieces: AdminPieces {
  private let count: Int
  private let print: (Int, inout [UInt8]) -> Void
  private var index = 0

  /// - Parameter print: Appends piece `index` of `0..<count`.
  init(count: Int, print: @escaping (Int, inout [UInt8]) -> Void) {
    self.count = count
    self.print = print
  }

  override func next(into output: inout [UInt8]) -> Bool {
    if index < count {
      print(index, &output)
      index += 1
    }
    return index < count
  }
}
