import Primitives

/// Chains by server name: a flat hash table of names and of suffixes behind wildcards.
///
/// A look-up takes a hash of the name, then one of each suffix that begins at a label, so ten
/// thousand names cost what ten cost.
struct ServerNameTable: @unchecked Sendable {
  // Sendable: its memory is written before another thread can see it.
  typealias Run = FilterChainTables.Run

  struct Slot {
    var hash: UInt64
    /// A name, or what follows a wildcard's `*`, with its dot.
    var text: ByteView
    var isSuffix: Bool
    /// Empty in a slot that is free.
    var chains: Run
  }

  private let slots: UnsafeMutableBufferPointer<Slot>
  private let mask: Int
  /// Chains that want no name.
  private let unnamed: Run
  let chains: UnsafeMutableBufferPointer<UInt32>

  fileprivate init(
    slots: UnsafeMutableBufferPointer<Slot>, unnamed: Run,
    chains: UnsafeMutableBufferPointer<UInt32>
  ) {
    self.slots = slots
    mask = slots.count - 1
    self.unnamed = unnamed
    self.chains = chains
  }

  /// The chains that want the name itself, else those with the longest suffix of it behind a
  /// wildcard, else those that want none.
  ///
  /// - Parameter name: In lower case; empty for a connection that gave none.
  func find(_ name: ByteView) -> Run {
    if slots.isEmpty || name.isEmpty { return unnamed }
    if let found = slot(name, isSuffix: false) { return slots[found].chains }
    // From the second byte on: a wildcard stands for at least one label.
    var at = 1
    while at < name.count {
      guard let dot = name.dropFirst(at).firstIndex(of: UInt8(ascii: ".")) else { break }
      at += dot
      if let found = slot(name.dropFirst(at), isSuffix: true) { return slots[found].chains }
      at += 1
    }
    return unnamed
  }

  private func slot(_ text: ByteView, isSuffix: Bool) -> Int? {
    let hash = xxHash64(text)
    var at = Int(truncatingIfNeeded: hash) & mask
    while slots[at].chains.count > 0 {
      if slots[at].hash == hash, slots[at].isSuffix == isSuffix, slots[at].text == text { return at }
      at = (at + 1) & mask
    }
    return nil
  }
}

extension ServerNameTable {
  /// The memory of a table.
  final class Storage: Sendable {
    let table: ServerNameTable
    private let slots: FrozenList<Slot>
    private let chains: FrozenList<UInt32>
    private let texts: FrozenText

    /// - Parameter chains: Their numbers, ascending, and the names that each wants.
    init(_ chains: [(number: Int, names: [String])]) {
      var byName: [String: [UInt32]] = [:]
      var list: [UInt32] = []
      for chain in chains {
        if chain.names.isEmpty { list.append(UInt32(chain.number)) }
        for name in Set(chain.names) { byName[name, default: []].append(UInt32(chain.number)) }
      }
      let unnamed = Run(first: 0, count: UInt32(list.count))
      // One run of memory for all texts.
      let names = byName.keys.sorted()
      texts = FrozenText(names.map { $0.hasPrefix("*") ? String($0.dropFirst()) : $0 }.joined())
      var slots: [Slot] = []
      if !names.isEmpty {
        var size = 8
        while size < names.count * 2 { size *= 2 }
        slots = Array(
          repeating: Slot(hash: 0, text: .empty, isSuffix: false, chains: .empty), count: size)
      }
      var from = 0
      for name in names {
        let isSuffix = name.hasPrefix("*")
        let count = name.utf8.count - (isSuffix ? 1 : 0)
        let text = texts.view.slice(from: from, to: from + count)
        from += count
        let wanting = byName[name] ?? []
        let hash = xxHash64(text)
        var at = Int(truncatingIfNeeded: hash) & (slots.count - 1)
        while slots[at].chains.count > 0 { at = (at + 1) & (slots.count - 1) }
        slots[at] = Slot(
          hash: hash, text: text, isSuffix: isSuffix,
          chains: Run(first: UInt32(list.count), count: UInt32(wanting.count)))
        list += wanting
      }
      self.slots = FrozenList(slots)
      self.chains = FrozenList(list)
      table = ServerNameTable(slots: self.slots.buffer, unnamed: unnamed, chains: self.chains.buffer)
    }
  }
}
