import Synchronization

/// One slot in which main leaves the newest of something for a worker: latest wins, nobody waits.
public final class Mailbox<Content: AnyObject & Sendable>: @unchecked Sendable {
  // Sendable: the slot is atomic and owns what is in it.
  private let slot = Atomic<UInt>(0)

  public init() {}

  deinit { _ = take() }

  /// Puts `content` in; returns what the worker never saw, if there was something.
  public func publish(_ content: Content) -> Content? {
    let raw = UInt(bitPattern: Unmanaged.passRetained(content).toOpaque())
    return Self.owned(slot.exchange(raw, ordering: .acquiringAndReleasing))
  }

  public func take() -> Content? {
    guard slot.load(ordering: .relaxed) != 0 else { return nil }
    return Self.owned(slot.exchange(0, ordering: .acquiring))
  }

  private static func owned(_ raw: UInt) -> Content? {
    UnsafeRawPointer(bitPattern: raw).map {
      Unmanaged<Content>.fromOpaque($0).takeRetainedValue()
    }
  }
}

/// What main leaves for one worker.
public struct WorkerMailbox: Sendable {
  public let snapshots = Mailbox<Snapshot>()
  /// Tables that are newer than the snapshot's own.
  public let hosts = Mailbox<HostTable>()

  public init() {}
}
