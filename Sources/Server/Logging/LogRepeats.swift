/// Holds back lines that say the same again and again: the first few of a kind in a window pass, the others
/// are counted, and the next one that passes says how many there were.
///
/// Two lines are of a kind when they are equal but for digits.
struct LogRepeats {
  struct Verdict: Equatable {
    var isWanted: Bool
    /// A line to write before, about those that were held back.
    var note: String?
  }

  private struct Kind {
    var windowStart: Int64
    var passed = 0
    var heldBack = 0
  }

  static let windowSeconds: Int64 = 10
  static let linesPerWindowMax = 10
  /// Kinds that are remembered.
  static let kindsMax = 256

  private var kinds: [String: Kind] = [:]

  /// Kinds that are remembered now.
  var kindCount: Int { kinds.count }

  mutating func judge(
    _ level: ProcessLog.Level, _ component: ProcessLog.Component, _ text: String, nowSeconds: Int64
  ) -> Verdict {
    // Debugging wants everything.
    guard level >= .info else { return Verdict(isWanted: true) }
    let key = component.name + Self.withoutDigits(text)
    if kinds[key] == nil, kinds.count >= Self.kindsMax { forget(nowSeconds) }
    var kind = kinds[key] ?? Kind(windowStart: nowSeconds)
    var note: String?
    if !(0..<Self.windowSeconds).contains(nowSeconds - kind.windowStart) {
      if kind.heldBack > 0 { note = "\(kind.heldBack) more lines like the next one were left out" }
      kind = Kind(windowStart: nowSeconds)
    }
    let isWanted = kind.passed < Self.linesPerWindowMax
    if isWanted { kind.passed += 1 } else { kind.heldBack += 1 }
    kinds[key] = kind
    return Verdict(isWanted: isWanted, note: note)
  }

  /// Makes room: kinds that were quiet go first, and when all are busy, all go.
  private mutating func forget(_ nowSeconds: Int64) {
    kinds = kinds.filter { $0.value.heldBack > 0 && nowSeconds - $0.value.windowStart < 60 }
    if kinds.count >= Self.kindsMax { kinds = [:] }
  }

  private static func withoutDigits(_ text: String) -> String {
    String(decoding: text.utf8.filter { !(0x30...0x39).contains($0) }, as: UTF8.self)
  }
}
