import Primitives

/// One header: views into the stream's arena or into immortal memory.
@frozen
public struct HeaderField {
  public var name: ByteView
  public var value: ByteView
  public var known: KnownHeader
  /// Removed fields stay as tombstones so that iteration and order stay simple.
  public var isRemoved: Bool
  /// Came as a never-indexed literal and must go on as one (RFC 7541 section 6.2.3).
  public var isSensitive: Bool

  @inlinable
  public init(name: ByteView, value: ByteView, known: KnownHeader, isSensitive: Bool = false) {
    self.name = name
    self.value = value
    self.known = known
    self.isRemoved = false
    self.isSensitive = isSensitive
  }
}

/// The headers of one message, in order, names in lower case, duplicates kept.
///
/// A trivial struct over arena memory: no allocation but from the arena, no reference counts. It
/// must not outlive the arena's use. Names are compared as bytes, known names as numbers.
@frozen
public struct HeaderMap {
  @usableFromInline var fields: UnsafeMutablePointer<HeaderField>
  /// Fields including tombstones.
  public var slotCount: Int
  @usableFromInline var capacity: Int
  @usableFromInline var arena: UnsafeMutablePointer<Arena>
  // Which known headers are in the map: most look-ups are for what is not there.
  @usableFromInline var present0: UInt64
  @usableFromInline var present1: UInt64

  /// - Parameter arena: Must stay at this address and outlive the map.
  @inlinable
  public init(arena: UnsafeMutablePointer<Arena>, capacity: Int = 24) {
    let capacity = max(1, capacity)
    self.arena = arena
    self.capacity = capacity
    self.slotCount = 0
    self.fields = arena.pointee.allocate(of: HeaderField.self, count: capacity)
    self.present0 = 0
    self.present1 = 0
  }

  /// An empty map that takes its room from the arena with the first field.
  @inlinable
  public init(unallocatedIn arena: UnsafeMutablePointer<Arena>) {
    self.arena = arena
    self.capacity = 0
    self.slotCount = 0
    self.fields = UnsafeMutableRawPointer(arena).assumingMemoryBound(to: HeaderField.self)
    self.present0 = 0
    self.present1 = 0
  }

  @inlinable @inline(__always)
  func mayHave(_ known: KnownHeader) -> Bool {
    let bit = UInt64(1) << UInt64(known.rawValue & 63)
    return (known.rawValue < 64 ? present0 : present1) & bit != 0
  }

  @inlinable @inline(__always)
  mutating func markPresent(_ known: KnownHeader) {
    let bit = UInt64(1) << UInt64(known.rawValue & 63)
    if known.rawValue < 64 { present0 |= bit } else { present1 |= bit }
  }

  @inlinable @inline(__always)
  mutating func markAbsent(_ known: KnownHeader) {
    let bit = UInt64(1) << UInt64(known.rawValue & 63)
    if known.rawValue < 64 { present0 &= ~bit } else { present1 &= ~bit }
  }

  /// The field in slot `index` of `0..<slotCount`; look at `isRemoved` first.
  @inlinable @inline(__always)
  public subscript(slot index: Int) -> HeaderField {
    assert(index >= 0 && index < slotCount)
    return fields[index]
  }

  // MARK: Look-up

  @inlinable @inline(__always)
  public func contains(_ known: KnownHeader) -> Bool { mayHave(known) }

  /// The value of the first field with this name.
  @inlinable @inline(__always)
  public func value(_ known: KnownHeader) -> ByteView? {
    guard mayHave(known) else { return nil }
    return scan(known)
  }

  @inlinable
  func scan(_ known: KnownHeader) -> ByteView? {
    var i = 0
    while i < slotCount {
      if fields[i].known == known, !fields[i].isRemoved { return fields[i].value }
      i &+= 1
    }
    return nil
  }

  /// The value of the first field with this name.
  /// - Parameter name: In lower case; a name that is also known must come with its `known`.
  @inlinable
  public func value(name: ByteView, known: KnownHeader) -> ByteView? {
    if known != .other { return value(known) }
    var i = 0
    while i < slotCount {
      if fields[i].known == .other, !fields[i].isRemoved, fields[i].name == name {
        return fields[i].value
      }
      i &+= 1
    }
    return nil
  }

  /// All values of a repeated name joined with commas (no space, as Envoy's matchers see them);
  /// copied into the arena only when there is more than one.
  public mutating func joinedValue(name: ByteView, known: KnownHeader) -> ByteView? {
    var total = 0
    var found = 0
    var first = ByteView.empty
    for i in 0..<slotCount where matches(i, name, known) {
      if found == 0 { first = fields[i].value }
      total += fields[i].value.count + 1
      found += 1
    }
    if found == 0 { return nil }
    if found == 1 { return first }
    let target = arena.pointee.allocate(total)
    var at = 0
    var isFirst = true
    for i in 0..<slotCount where matches(i, name, known) {
      if !isFirst {
        target[at] = 44
        at += 1
      }
      isFirst = false
      let value = fields[i].value
      (target + at).update(from: value.base, count: value.count)
      at += value.count
    }
    return ByteView(target, at)
  }

  @inlinable @inline(__always)
  func matches(_ i: Int, _ name: ByteView, _ known: KnownHeader) -> Bool {
    guard !fields[i].isRemoved, fields[i].known == known else { return false }
    return known != .other || fields[i].name == name
  }

  /// How many fields have this name.
  public func occurrences(_ known: KnownHeader) -> Int {
    guard mayHave(known) else { return 0 }
    var found = 0
    for i in 0..<slotCount where fields[i].known == known && !fields[i].isRemoved { found += 1 }
    return found
  }

  // MARK: Change

  /// Adds a field at the end. Views are kept, not copied: they must live as long as the arena's
  /// use or longer.
  @inlinable @inline(__always)
  public mutating func append(
    name: ByteView, value: ByteView, known: KnownHeader, isSensitive: Bool = false
  ) {
    if slotCount == capacity { growFields() }
    (fields + slotCount).initialize(
      to: HeaderField(name: name, value: value, known: known, isSensitive: isSensitive))
    slotCount &+= 1
    if known != .other { markPresent(known) }
  }

  @inlinable @inline(__always)
  public mutating func append(_ known: KnownHeader, _ value: ByteView) {
    append(name: ByteView(known.name), value: value, known: known)
  }

  @inline(never)
  @usableFromInline mutating func growFields() {
    let room = max(24, capacity * 2)
    let larger = arena.pointee.allocate(of: HeaderField.self, count: room)
    larger.update(from: fields, count: slotCount)
    fields = larger
    capacity = room
  }

  /// Replaces the first field's value and removes further ones; adds the field when absent.
  @inlinable @inline(__always)
  public mutating func set(_ known: KnownHeader, _ value: ByteView) {
    set(name: ByteView(known.name), value: value, known: known)
  }

  @inlinable
  public mutating func set(name: ByteView, value: ByteView, known: KnownHeader) {
    if known != .other, !mayHave(known) {
      append(name: name, value: value, known: known)
      return
    }
    var done = false
    var i = 0
    while i < slotCount {
      if matches(i, name, known) {
        if done {
          fields[i].isRemoved = true
        } else {
          fields[i].value = value
          done = true
        }
      }
      i &+= 1
    }
    if !done { append(name: name, value: value, known: known) }
  }

  /// Removes every field of this name; returns whether there was one.
  @inlinable
  @discardableResult
  public mutating func remove(_ known: KnownHeader) -> Bool {
    guard mayHave(known) else { return false }
    var i = 0
    while i < slotCount {
      if fields[i].known == known { fields[i].isRemoved = true }
      i &+= 1
    }
    markAbsent(known)
    return true
  }

  @inlinable
  @discardableResult
  public mutating func remove(name: ByteView, known: KnownHeader) -> Bool {
    if known != .other { return remove(known) }
    var removed = false
    var i = 0
    while i < slotCount {
      if matches(i, name, known) {
        fields[i].isRemoved = true
        removed = true
      }
      i &+= 1
    }
    return removed
  }

  /// Removes the field in one slot. For a name that occurs again the map stays right.
  public mutating func removeSlot(_ index: Int) {
    let known = fields[index].known
    fields[index].isRemoved = true
    if known != .other, scan(known) == nil { markAbsent(known) }
  }

  /// Replaces the value in one slot.
  @inlinable
  public mutating func setValue(slot index: Int, _ value: ByteView) { fields[index].value = value }

  /// Lets the map take further room from `arena`, into which the one it was made in has moved.
  @inlinable
  public mutating func rebase(onto arena: UnsafeMutablePointer<Arena>) { self.arena = arena }

  /// The arena that the map takes its room from.
  @inlinable
  public var arenaPointer: UnsafeMutablePointer<Arena> { arena }

  /// A copy of `view` in the map's arena.
  @inlinable
  public mutating func copy(_ view: ByteView) -> ByteView { arena.pointee.copy(view) }

  /// Decimal text in the map's arena.
  @inlinable
  public mutating func decimal(_ value: UInt64) -> ByteView {
    let target = arena.pointee.allocate(20)
    return ByteView(target, Decimal.write(value, to: target))
  }

  /// Fields that are not removed.
  public var count: Int {
    var live = 0
    for i in 0..<slotCount where !fields[i].isRemoved { live += 1 }
    return live
  }
}
