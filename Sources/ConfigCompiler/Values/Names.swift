/// A name from the input as an error shows it: no control characters, of bounded length.
func shown(_ text: String, limit: Int = 64) -> String {
  var result = ""
  for (count, scalar) in text.unicodeScalars.enumerated() {
    if count == limit { return result + "..." }
    if scalar.properties.generalCategory == .control || scalar == "\"" || scalar == "\\" {
      result += scalar.escaped(asASCII: false)
    } else {
      result.unicodeScalars.append(scalar)
    }
  }
  return result
}

/// A file's name, whose end tells the most.
func shownFile(_ name: String) -> String { shown(name, limit: 512) }

extension CompilerPass {
  /// Reports a cluster that does not exist.
  func reportUnknownCluster(_ name: String, _ path: String) {
    let hint = closest(to: name, among: clusterNames).map { ", did you mean \"\(shown($0))\"?" }
    error(path, "unknown cluster \"\(shown(name))\"\(hint ?? "")")
  }

  func closest(to name: String, among names: Set<String>) -> String? {
    let given = Array(name.utf8)
    guard given.count <= 128 else { return nil }
    let limit = min(3, max(1, given.count / 3))
    var best: (name: String, distance: Int)?
    for candidate in names where abs(candidate.utf8.count - given.count) <= limit {
      let found = Self.distance(given, Array(candidate.utf8))
      guard found <= limit else { continue }
      if let best, (best.distance, best.name) <= (found, candidate) { continue }
      best = (candidate, found)
    }
    return best?.name
  }

  /// Edit distance where a swap of neighbours counts once (optimal string alignment).
  private static func distance(_ a: [UInt8], _ b: [UInt8]) -> Int {
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
