import LoadBase

/// A file of URLs with weights: a line is `weight url` or `url`, empty lines and `#` lines are
/// skipped. A URL may be a path alone.
enum URLList {
  struct Entry: Equatable {
    var weight: Double
    var url: String
  }

  static func parse(_ text: String, name: String) throws(UsageError) -> [Entry] {
    var entries: [Entry] = []
    var number = 0
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      number += 1
      let words = line.split { $0 == " " || $0 == "\t" || $0 == "\r" }
      guard let first = words.first, !first.hasPrefix("#") else { continue }
      switch words.count {
      case 1:
        entries.append(Entry(weight: 1, url: String(first)))
      case 2:
        guard let weight = Double(first), weight >= 0, weight <= 1e9 else {
          throw UsageError("\(name):\(number): '\(first)' is no weight, expected 'weight url'")
        }
        entries.append(Entry(weight: weight, url: String(words[1])))
      default:
        throw UsageError("\(name):\(number): expected 'url' or 'weight url'")
      }
    }
    guard entries.contains(where: { $0.weight > 0 }) else {
      throw UsageError("\(name): no URL in the file")
    }
    return entries
  }
}
