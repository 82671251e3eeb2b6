/// Main's knowledge of one worker's listening sockets: whose they are to close.
///
/// A worker closes sockets that it had and that its new snapshot does not name. Those of a snapshot
/// that it never saw, since a newer one came at once, would be nobody's: they would go on taking
/// connections that nobody accepts.
public struct SocketHandover {
  /// Of the last snapshot that the worker took.
  private var taken: [Int32]
  /// Of the last one that was published.
  private var latest: [Int32]

  public init(_ sockets: [Int32]) {
    taken = sockets
    latest = sockets
  }

  /// A snapshot with these sockets has been published.
  ///
  /// - Parameter replacedUnread: The worker had not taken the one before, and never will.
  /// - Returns: Sockets that main must close.
  public mutating func published(_ sockets: [Int32], replacedUnread: Bool) -> [Int32] {
    defer { latest = sockets }
    guard replacedUnread else {
      taken = latest
      return []
    }
    return latest.filter { !sockets.contains($0) && !taken.contains($0) }
  }
}

extension Snapshot {
  /// The listening sockets that one worker accepts from.
  public func listenerSockets(worker: Int) -> [Int32] {
    listeners.flatMap { listener -> [Int32] in
      let rows = listener.pointer.pointee.sockets
      return worker < rows.count ? rows[worker] : []
    }
  }
}
