/// How long the lines of a text are, to tell whether a place is within it.
struct TextLines {
  /// Unicode scalars in each line.
  private var lengths: [Int] = []

  init(_ bytes: [UInt8]) {
    var length = 0
    var isAfterReturn = false
    for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
      // The breaks that YAML 1.1 knows.
      switch scalar {
      case "\n" where isAfterReturn: break
      case "\n", "\r", "\u{85}", "\u{2028}", "\u{2029}":
        lengths.append(length)
        length = 0
      default: length += 1
      }
      isAfterReturn = scalar == "\r"
    }
    lengths.append(length)
  }

  /// - Parameters: Counted from 1. The place after a line's end, and the line after the last, count.
  func contains(line: Int, column: Int) -> Bool {
    guard line >= 1, column >= 1, line <= lengths.count + 1 else { return false }
    return column <= (line <= lengths.count ? lengths[line - 1] : 0) + 1
  }
}
