/// What the reader of a text can show.
public struct TextStyle: Sendable, Equatable {
  /// False for terminals and files that are not UTF-8: then everything is ASCII.
  public var isUnicode: Bool

  public init(isUnicode: Bool) { self.isUnicode = isUnicode }

  public static let unicode = TextStyle(isUnicode: true)
  public static let ascii = TextStyle(isUnicode: false)

  /// From the values of `LC_ALL`, `LC_CTYPE` and `LANG`: the first that is set and not empty decides.
  public init(locale values: [String?]) {
    let first = values.lazy.compactMap { $0 }.first { !$0.isEmpty } ?? ""
    let name = first.lowercased()
    isUnicode = name.hasSuffix("utf-8") || name.hasSuffix("utf8")
  }

  var micro: String { isUnicode ? "µ" : "u" }
  var times: String { isUnicode ? "×" : "x" }

  /// Text from outside on one line, without anything that a terminal would obey.
  func plain(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar.properties.generalCategory {
      case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate: result += "?"
      default: result += isUnicode || scalar.isASCII ? String(scalar) : "?"
      }
    }
    return result
  }
}
