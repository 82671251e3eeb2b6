import HTTPCore
import Primitives

/// Header names at configuration time.
public enum HeaderName {
  /// A name in lower case with its number. `host` is stored as `:authority`, where the codecs
  /// keep it.
  public static func store(
    _ name: String, _ memory: ConfigurationMemory
  ) -> (ByteView, KnownHeader) {
    let lower = name.utf8.map(ASCII.lowercase)
    let view = memory.store(bytes: lower)
    let known = KnownHeaderTable.shared.find(view)
    if known == .host { return (KnownHeaderTable.shared.name(.authority), .authority) }
    return known == .other ? (view, known) : (KnownHeaderTable.shared.name(known), known)
  }

  /// Whether `name` is a token of RFC 9110 section 5.6.2.
  public static func isToken(_ name: String) -> Bool {
    !name.isEmpty && name.utf8.allSatisfy(ASCII.isToken)
  }
}

/// "Did you mean" by edit distance.
enum Suggestion {
  static func closest(to word: String, among names: some Sequence<String>) -> String? {
    var best: (name: String, distance: Int)?
    for name in names {
      let d = distance(Array(word.utf8), Array(name.utf8))
      if let current = best, (current.distance, current.name) <= (d, name) { continue }
      best = (name, d)
    }
    guard let best, best.distance <= max(2, word.utf8.count / 4) else { return nil }
    return best.name
  }

  private static func distance(_ a: [UInt8], _ b: [UInt8]) -> Int {
    var row = Array(0...b.count)
    for i in 0..<a.count {
      var diagonal = row[0]
      row[0] = i + 1
      for j in 0..<b.count {
        let substitution = diagonal + (a[i] == b[j] ? 0 : 1)
        diagonal = row[j + 1]
        row[j + 1] = min(substitution, row[j] + 1, diagonal + 1)
      }
    }
    return row[b.count]
  }
}
