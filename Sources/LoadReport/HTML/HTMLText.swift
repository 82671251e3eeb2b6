/// Text from outside as text of a page: it can neither become markup nor leave an attribute.
enum HTMLText {
  static func escaped(_ text: String) -> String {
    var result = ""
    for character in TextStyle.unicode.plain(text).unicodeScalars {
      switch character {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      case "'": result += "&#39;"
      default: result.unicodeScalars.append(character)
      }
    }
    return result
  }
}
