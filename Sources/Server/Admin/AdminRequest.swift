import HTTPCore
import Primitives

/// A request to the admin page: its path, and the parameters behind the question mark.
struct AdminRequest {
  let method: String
  let path: String
  let parameters: [(name: String, value: String)]

  init(_ headers: HeaderMap) {
    self.init(
      method: headers.value(.method)?.string ?? "", target: headers.value(.path)?.string ?? "")
  }

  init(method: String, target: String) {
    self.method = method
    let withoutFragment = target.prefix { $0 != "#" }
    let parts = withoutFragment.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    path = parts.first.map(String.init) ?? ""
    let query = parts.count > 1 ? parts[1] : ""
    parameters = query.split(separator: "&").map { pair in
      let sides = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let name = Self.decoded(sides[0])
      // Patterns and paths have plus signs of their own.
      return (name, sides.count > 1 ? Self.decoded(sides[1], plusIsSpace: name == "header") : "")
    }
  }

  /// The first value under a name; empty for a bare name.
  subscript(_ name: String) -> String? { parameters.first { $0.name == name }?.value }

  func has(_ name: String) -> Bool { self[name] != nil }

  /// Percent signs undone (RFC 3986 section 2.1).
  ///
  /// - Parameter plusIsSpace: Forms send spaces so, and so does curl.
  private static func decoded(_ text: Substring, plusIsSpace: Bool = false) -> String {
    var result: [UInt8] = []
    let bytes = text.utf8.map { plusIsSpace && $0 == UInt8(ascii: "+") ? UInt8(ascii: " ") : $0 }
    var index = 0
    while index < bytes.count {
      if bytes[index] == UInt8(ascii: "%"), index + 2 < bytes.count,
        let high = hexValue(bytes[index + 1]), let low = hexValue(bytes[index + 2])
      {
        result.append(high << 4 | low)
        index += 3
      } else {
        result.append(bytes[index])
        index += 1
      }
    }
    return String(decoding: result, as: UTF8.self)
  }

  private static func hexValue(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
  }
}
