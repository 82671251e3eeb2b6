import Format
import Primitives

/// Virtual hosts by domain: exact, longest `*suffix`, longest `prefix*`, then `*`. Case does not
/// count. A trivial value over frozen memory.
struct DomainTable: BitwiseCopyable {
  private struct Slot: BitwiseCopyable {
    var tag: UInt32
    var host: Int32
    var name: ByteView
  }

  private let slots: UnsafePointer<Slot>
  private let mask: Int
  private let suffixes: AffixTable
  private let prefixes: AffixTable
  private let fallback: Int32

  /// - Parameter domains: A list for each virtual host.
  init(_ domains: [[String]], memory: ConfigurationMemory, problem: (Int, Int, String) -> Void) {
    var exact: [(name: [UInt8], host: Int32)] = []
    var suffixes: [(key: [UInt8], value: Int32)] = []
    var prefixes: [(key: [UInt8], value: Int32)] = []
    var fallback: Int32 = -1
    var seen: [[UInt8]: Int] = [:]
    for (host, list) in domains.enumerated() {
      for (index, domain) in list.enumerated() {
        let lower = domain.utf8.map(ASCII.lowercase)
        if let first = seen[lower] {
          problem(host, index, "domain \"\(domain)\" is already used by virtual_hosts[\(first)]")
          continue
        }
        seen[lower] = host
        let star = UInt8(ascii: "*")
        if lower == [star] {
          fallback = Int32(host)
        } else if lower.first == star {
          suffixes.append((Array(lower.dropFirst()), Int32(host)))
        } else if lower.last == star {
          prefixes.append((Array(lower.dropLast()), Int32(host)))
        } else {
          exact.append((lower, Int32(host)))
        }
      }
    }
    var capacity = 8
    while capacity < exact.count * 2 { capacity *= 2 }
    mask = capacity - 1
    var slots = [Slot](repeating: Slot(tag: 0, host: -1, name: .empty), count: capacity)
    for entry in exact {
      let name = memory.store(bytes: entry.name)
      let hash = xxHash64(name)
      var slot = Int(truncatingIfNeeded: hash) & mask
      while slots[slot].host >= 0 { slot = (slot + 1) & mask }
      slots[slot] = Slot(
        tag: UInt32(truncatingIfNeeded: hash >> 32), host: entry.host, name: name)
    }
    self.slots = memory.store(slots)
    self.suffixes = AffixTable(suffixes, isSuffix: true, foldsCase: true, memory: memory)
    self.prefixes = AffixTable(prefixes, isSuffix: false, foldsCase: true, memory: memory)
    self.fallback = fallback
  }

  /// - Returns: The virtual host's index, or -1.
  func find(_ host: ByteView, arena: inout Arena) -> Int32 {
    let lower = Self.lowercased(host, &arena)
    let hash = xxHash64(lower)
    let tag = UInt32(truncatingIfNeeded: hash &>> 32)
    var slot = Int(truncatingIfNeeded: hash) & mask
    while slots[slot].host >= 0 {
      if slots[slot].tag == tag, slots[slot].name == lower { return slots[slot].host }
      slot = (slot &+ 1) & mask
    }
    // A wildcard stands for at least one byte.
    if !suffixes.isEmpty {
      let found = suffixes.longest(in: lower, lengthLimit: lower.count &- 1)
      if found >= 0 { return found }
    }
    if !prefixes.isEmpty {
      let found = prefixes.longest(in: lower, lengthLimit: lower.count &- 1)
      if found >= 0 { return found }
    }
    return fallback
  }

  private static func lowercased(_ host: ByteView, _ arena: inout Arena) -> ByteView {
    var i = 0
    while i < host.count, host.base[i] == ASCII.lowercase(host.base[i]) { i &+= 1 }
    if i == host.count { return host }
    let target = arena.allocate(host.count)
    for j in 0..<host.count { target[j] = ASCII.lowercase(host.base[j]) }
    return ByteView(target, host.count)
  }
}
