import Proxy

extension SnapshotCompiler {
  /// The certificates in force: of listeners, then of clusters, by name.
  public var inventories: [TLSInventory] {
    let listeners = state.listeners.sorted { $0.key < $1.key }.flatMap { _, record in
      record.tls.sorted { $0.key < $1.key }.map(\.value.slot.current.inventory)
    }
    let clusters = state.clusters.sorted { $0.key < $1.key }.flatMap { _, record in
      record.sockets.entries.compactMap { $0?.place.slot.current.inventory }
    }
    return listeners + clusters
  }
}
