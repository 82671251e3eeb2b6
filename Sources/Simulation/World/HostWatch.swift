import Balancing
import HostHealth
import Proxy

/// Hosts that are out of service get no request: what main has told the worker is compared with whom the worker asks.
///
/// A worker's requests of a host grow only when a choice falls on it. So those of a host that was out before a turn, and is
/// after it, must not.
final class HostWatch {
  /// What the worker may not have read yet.
  private var told: HostTable?
  /// Requests of each host that was out after the last turn, by its number.
  private var activeOfOut: [UInt32: UInt32] = [:]
  private var out: Set<UInt32> = []
  private let report: (String) -> Void

  init(report: @escaping (String) -> Void) { self.report = report }

  /// - Parameters:
  ///   - newest: What main has published last.
  ///   - hasReadAll: The worker has seen every message.
  func afterTurn(_ worker: Worker, newest: HostTable?, hasReadAll: Bool) {
    if newest !== told, hasReadAll, let newest {
      told = newest
      out = Self.out(newest)
    }
    guard !out.isEmpty || !activeOfOut.isEmpty else { return }
    let before = activeOfOut
    activeOfOut.removeAll(keepingCapacity: true)
    worker.forEachHost { number, active in
      guard out.contains(number) else { return }
      if let known = before[number], active > known {
        report("host number \(number) is out of service, and got \(active - known) requests")
      }
      activeOfOut[number] = active
    }
    // A worker makes a host when it first chooses it.
    for number in out where activeOfOut[number] == nil { activeOfOut[number] = 0 }
  }

  /// Hosts that no choice may fall on. In panic any may be chosen.
  private static func out(_ table: HostTable) -> Set<UInt32> {
    var out: Set<UInt32> = []
    for case let set? in table.sets.buffer {
      let set = set.pointer
      for level in set.pointee.levels.buffer where !level.share.isPanic || level.share.fails {
        let all = set.pointee.lists.buffer[Int(level.all)]
        for member in set.pointee.members.buffer[Int(all.first)..<Int(all.first + all.count)]
        where set.pointee.flags.buffer[Int(member)].state == .unhealthy {
          out.insert(set.pointee.hosts.buffer[Int(member)].pointer.pointee.number)
        }
      }
    }
    return out
  }

  /// Lets go of the table.
  func end() { told = nil }
}
