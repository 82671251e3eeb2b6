/// Finds the known name that was probably meant.
enum Suggestion {
  /// `, did you mean "prefix"?`, or nothing when no candidate is close.
  static func phrase(for name: String, among candidates: [String]) -> String {
    closest(to: name, among: candidates).map { ", did you mean \(quoted($0))?" } ?? ""
  }

  static func closest(to name: String, among candidates: [String]) -> String? {
    let given = Array(name.lowercased().utf8)
    guard !given.isEmpty, given.count <= 128 else { return nil }
    var best: (name: String, distance: Int)?
    let limit = min(3, max(1, given.count / 3))
    for candidate in candidates {
      let known = Array(candidate.lowercased().utf8)
      guard abs(known.count - given.count) <= limit else { continue }
      let found = distance(given, known)
      if found <= limit, found < best?.distance ?? .max { best = (candidate, found) }
    }
    if let best { return best.name }
    // `config` for `typed_config`: one whole word of the name.
    let containing = candidates.filter {
      $0.lowercased().utf8.count > given.count && given.count >= 4
        && ($0.lowercased().hasSuffix("_" + name.lowercased())
          || $0.lowercased().hasPrefix(name.lowercased() + "_"))
    }
    return containing.count == 1 ? containing.first : nil
  }

  /// Edit distance where a swap of neighbours counts once (optimal string alignment).
  static func distance(_ a: [UInt8], _ b: [UInt8]) -> Int {
    guard !a.isEmpty, !b.isEmpty else { return max(a.count, b.count) }
    var beforePrevious = [Int](repeating: 0, count: b.count + 1)
    var previous = Array(0...b.count)
    for i in 1...a.count {
      var row = [Int](repeating: i, count: b.count + 1)
      for j in 1...b.count {
        let substitution = previous[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)
        row[j] = min(previous[j] + 1, row[j - 1] + 1, substitution)
        if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] {
          row[j] = min(row[j], beforePrevious[j - 2] + 1)
        }
      }
      beforePrevious = previous
      previous = row
    }
    return previous[b.count]
  }
}
