import HTTPCore

/// One snapshot on one worker: held while it is current or a stream uses it.
struct GenerationRuntime {
  let snapshot: Unmanaged<Snapshot>
  let number: UInt64
  let routeTables: UnsafeMutableBufferPointer<Frozen<RouteTableConfig>?>
  let clusterNames: Unmanaged<ClusterNameIndex>
  let upstreamDetails: TLSDetailNeeds
  /// Streams that began under it.
  var streamCount = 0
  var isCurrent = true

  init(_ snapshot: Snapshot) {
    self.snapshot = .passRetained(snapshot)
    self.number = snapshot.generation
    self.routeTables = snapshot.routeTables.buffer
    self.upstreamDetails = snapshot.upstreamDetails
    self.clusterNames = .passUnretained(snapshot.clusterNames)
  }
}
