import Synchronization

/// One slot in which main leaves the newest snapshot for a worker: latest wins, nobody waits.
public final class SnapshotMailbox: @unchecked Sendable {
  // Sendable: the slot is atomic and owns what is in it.
  private let slot = Atomic<UInt>(0)

  public init() {}

  deinit { _ = take() }

  /// Puts `snapshot` in; returns one that the worker never saw, if there was one.
  public func publish(_ snapshot: Snapshot) -> Snapshot? {
    let raw = UInt(bitPattern: Unmanaged.passRetained(snapshot).toOpaque())
    return Self.owned(slot.exchange(raw, ordering: .acquiringAndReleasing))
  }

  public func take() -> Snapshot? {
    guard slot.load(ordering: .relaxed) != 0 else { return nil }
    return Self.owned(slot.exchange(0, ordering: .acquiring))
  }

  private static func owned(_ raw: UInt) -> Snapshot? {
    UnsafeRawPointer(bitPattern: raw).map {
      Unmanaged<Snapshot>.fromOpaque($0).takeRetainedValue()
    }
  }
}
