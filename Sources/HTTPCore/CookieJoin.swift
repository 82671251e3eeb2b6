import Primitives

extension HeaderMap {
  /// Joins several Cookie fields with `; ` at the first one's place (RFC 9113 section 8.2.3);
  /// sensitive if any was.
  public mutating func joinCookies() {
    guard mayHave(.cookie) else { return }
    var first = -1
    var count = 0
    var total = 0
    for i in 0..<slotCount where fields[i].known == .cookie && !fields[i].isRemoved {
      if count == 0 { first = i }
      count += 1
      total += fields[i].value.count + 2
    }
    guard count > 1 else { return }
    let target = arena.pointee.allocate(total)
    var at = 0
    for i in first..<slotCount where fields[i].known == .cookie && !fields[i].isRemoved {
      if i != first {
        target[at] = 59
        target[at + 1] = 32
        at += 2
        fields[i].isRemoved = true
        fields[first].isSensitive = fields[first].isSensitive || fields[i].isSensitive
      }
      let value = fields[i].value
      (target + at).update(from: value.base, count: value.count)
      at += value.count
    }
    fields[first].value = ByteView(target, at)
  }
}
