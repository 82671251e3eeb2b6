import Synchronization

/// The tables that workers may have, beside those that came with a snapshot. Main's own.
public struct PublishedHostTables {
  private var tables: [HostTable] = []

  public init() {}

  /// How many of them are alive.
  public var count: Int { tables.count }

  /// Puts a table into the workers' mailboxes. ``WorkerMessage/hosts`` must follow.
  ///
  /// - Parameter table: Made for as many workers as there are mailboxes, of the newest snapshot's generation.
  public mutating func publish(_ table: HostTable, to mailboxes: some Sequence<WorkerMailbox>) {
    releaseLeft()
    tables.append(table)
    for mailbox in mailboxes {
      // The worker never saw it, so it does not hold it.
      mailbox.hosts.publish(table)?.holders.wrappingSubtract(1, ordering: .acquiringAndReleasing)
    }
  }

  /// Frees tables that every worker has left.
  public mutating func releaseLeft() {
    for index in tables.indices.reversed() {
      // A worker counts itself out just before it drops its reference: ours must be the last, so
      // that the memory is freed here.
      guard tables[index].holders.load(ordering: .acquiring) == 0,
        isKnownUniquelyReferenced(&tables[index])
      else { continue }
      tables.remove(at: index)
    }
  }
}
