/// A row of marks, each as high as its value: zero is the lowest mark, the largest value the highest.
enum Sparkline {
  /// - Parameter values: at least 0; nil is a gap.
  static func line(_ values: [Double?], _ style: TextStyle) -> String {
    let marks = Array(style.isUnicode ? "▁▂▃▄▅▆▇█" : "_.,-=+*#")
    let largest = values.compactMap { $0 }.max() ?? 0
    return String(
      values.map { value in
        guard let value, value.isFinite else { return " " }
        guard largest > 0 else { return marks[0] }
        let height = (value / largest * Double(marks.count - 1)).rounded()
        return marks[Int(max(0, min(height, Double(marks.count - 1))))]
      })
  }
}

/// Makes few values of many, so that a line or a chart can show them.
enum Thinning {
  /// At most `limit` ranges of equal length (the last may be shorter) that cover `0..<count`.
  static func groups(of count: Int, limit: Int) -> [Range<Int>] {
    guard count > 0, limit > 0 else { return [] }
    let size = (count + limit - 1) / limit
    return stride(from: 0, to: count, by: size).map { $0..<min($0 + size, count) }
  }
}
