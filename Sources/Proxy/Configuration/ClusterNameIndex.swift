import Primitives

/// Finds a cluster's slot by name on the request path (`cluster_header`): a flat hash table.
public final class ClusterNameIndex: @unchecked Sendable {
  // Sendable: written once in init.
  private struct Slot {
    var hash: UInt64
    var name: ByteView
    var cluster: UInt32
  }

  private let slots: UnsafeMutableBufferPointer<Slot>
  private let names: [FrozenText]
  private let mask: Int
  private static let empty = UInt32.max

  public init(_ clusters: [(name: String, slot: UInt32)]) {
    var size = 8
    while size < clusters.count * 2 { size *= 2 }
    mask = size - 1
    slots = .allocate(capacity: size)
    slots.initialize(repeating: Slot(hash: 0, name: .empty, cluster: Self.empty))
    names = clusters.map { FrozenText($0.name) }
    for (name, cluster) in zip(names, clusters) {
      let hash = xxHash64(name.view)
      var at = Int(truncatingIfNeeded: hash) & mask
      while slots[at].cluster != Self.empty { at = (at + 1) & mask }
      slots[at] = Slot(hash: hash, name: name.view, cluster: cluster.slot)
    }
  }

  deinit { slots.deallocate() }

  func find(_ name: ByteView) -> UInt32? {
    let hash = xxHash64(name)
    var at = Int(truncatingIfNeeded: hash) & mask
    while slots[at].cluster != Self.empty {
      if slots[at].hash == hash, slots[at].name == name { return slots[at].cluster }
      at = (at + 1) & mask
    }
    return nil
  }
}
