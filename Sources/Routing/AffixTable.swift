import Format
import Primitives

/// Finds the longest key that is a prefix (or suffix) of a text in one pass over the text, at a
/// cost that does not depend on the number of keys: a rolling hash is looked up at each length
/// that some key has. A trivial value over frozen memory.
struct AffixTable: BitwiseCopyable {
  struct Key: BitwiseCopyable {
    var text: ByteView
    /// The caller's number for the key.
    var value: Int32
  }

  private struct Slot: BitwiseCopyable {
    var tag: UInt32
    var key: Int32
  }

  private let slots: UnsafePointer<Slot>
  private let mask: Int
  private let keys: UnsafePointer<Key>
  private let keyCount: Int
  /// Bit n: some key is n bytes long.
  private let lengths: UnsafePointer<UInt64>
  private let lengthMax: Int
  private let isSuffix: Bool
  private let foldsCase: Bool

  /// - Parameter keys: Distinct; in lower case when `foldsCase`.
  init(_ keys: [(key: [UInt8], value: Int32)], isSuffix: Bool, foldsCase: Bool, memory: ConfigurationMemory) {
    self.isSuffix = isSuffix
    self.foldsCase = foldsCase
    keyCount = keys.count
    lengthMax = keys.map(\.key.count).max() ?? -1
    var lengths = [UInt64](repeating: 0, count: max(lengthMax, 0) / 64 + 1)
    var capacity = 8
    while capacity < keys.count * 4 { capacity *= 2 }
    var slots = [Slot](repeating: Slot(tag: 0, key: -1), count: capacity)
    mask = capacity - 1
    var frozen: [Key] = []
    for (index, entry) in keys.enumerated() {
      lengths[entry.key.count / 64] |= 1 << UInt64(entry.key.count % 64)
      frozen.append(Key(text: memory.store(bytes: entry.key), value: entry.value))
      var hash = Self.seed
      for byte in isSuffix ? entry.key.reversed() : entry.key { hash = Self.step(hash, byte) }
      let mixed = Self.finish(hash)
      var slot = Int(truncatingIfNeeded: mixed) & mask
      while slots[slot].key >= 0 { slot = (slot + 1) & mask }
      slots[slot] = Slot(tag: UInt32(truncatingIfNeeded: mixed >> 32), key: Int32(index))
    }
    self.slots = memory.store(slots)
    self.keys = memory.store(frozen)
    self.lengths = memory.store(lengths)
  }

  @inline(__always) private static var seed: UInt64 { 0xCBF2_9CE4_8422_2325 }

  @inline(__always) private static func step(_ hash: UInt64, _ byte: UInt8) -> UInt64 {
    (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3
  }

  @inline(__always) private static func finish(_ hash: UInt64) -> UInt64 {
    let mixed = hash &* 0x9E37_79B9_7F4A_7C15
    return mixed ^ (mixed >> 32)
  }

  var isEmpty: Bool { keyCount == 0 }

  /// - Parameter lengthLimit: Keys longer than this do not count.
  /// - Returns: The value of the longest key, or -1.
  func longest(in text: ByteView, lengthLimit: Int) -> Int32 {
    let candidate = deepest(text, lengthLimit, verifies: false)
    if candidate < 0 { return -1 }
    // Shorter keys were passed by their hashes alone; only the winner is compared. Texts made to
    // collide cost a second pass.
    let key = keys[Int(candidate)]
    if key.text.count <= min(text.count, lengthLimit), matches(key, text) { return key.value }
    let verified = deepest(text, lengthLimit, verifies: true)
    return verified < 0 ? -1 : keys[Int(verified)].value
  }

  @inline(__always)
  private func matches(_ key: Key, _ text: ByteView) -> Bool {
    let length = key.text.count
    let part = isSuffix ? text.dropFirst(text.count &- length) : text.prefix(length)
    return foldsCase ? key.text.equalsIgnoringCase(part) : key.text == part
  }

  /// The number of the longest key, by hash alone unless `verifies`.
  @inline(__always)
  private func deepest(_ text: ByteView, _ lengthLimit: Int, verifies: Bool) -> Int32 {
    var found: Int32 = -1
    var hash = Self.seed
    let last = min(lengthMax, min(text.count, lengthLimit))
    var length = 0
    while length <= last {
      if lengths[length &>> 6] &>> UInt64(length & 63) & 1 != 0 {
        let key = find(hash, text, length, verifies)
        if key >= 0 { found = key }
      }
      if length == last { break }
      var byte = text.base[isSuffix ? text.count &- 1 &- length : length]
      if foldsCase { byte = ASCII.lowercase(byte) }
      hash = Self.step(hash, byte)
      length &+= 1
    }
    return found
  }

  @inline(__always)
  private func find(_ hash: UInt64, _ text: ByteView, _ length: Int, _ verifies: Bool) -> Int32 {
    let mixed = Self.finish(hash)
    let tag = UInt32(truncatingIfNeeded: mixed &>> 32)
    var slot = Int(truncatingIfNeeded: mixed) & mask
    while slots[slot].key >= 0 {
      if slots[slot].tag == tag {
        if !verifies { return slots[slot].key }
        let key = keys[Int(slots[slot].key)]
        if key.text.count == length, matches(key, text) { return slots[slot].key }
      }
      slot = (slot &+ 1) & mask
    }
    return -1
  }
}
