/// A header list in order, whatever carried it; names are in lower case.
typealias Fields = [(name: String, value: String)]

/// The head of a message, whatever carried it.
struct MessageHead {
  /// HTTP/1: as it came. HTTP/2: what an HTTP/1 peer would have got, for the checks that both share.
  var startLine: String
  var headers: Fields

  subscript(name: String) -> String? { headers.first { $0.name == name }?.value }
  var status: Int { startLine.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0 }
}
