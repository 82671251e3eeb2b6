import Proxy
import Stats

/// What hosts remember of the transport socket that was chosen for them.
struct SocketChoices {
  struct Choice {
    /// ``HostConfig/transport``
    let number: UInt16
    /// ``HostConfig/socketMatch``
    let name: FrozenText?
    private let total: Counter?

    init(_ socket: ClusterSockets.Socket, _ table: SocketTable, _ scope: StatsScope?) {
      number = table.number(of: socket.settings)
      name = scope == nil ? nil : FrozenText(socket.name)
      total = scope?.counter("\(socket.name).total_match_count")
    }

    /// Whether it is the one that the host has.
    func isOf(_ host: HostConfig) -> Bool {
      guard host.transport == number, let name, let known = host.socketMatch else {
        return host.transport == number && host.socketMatch == nil && name == nil
      }
      return known.view == name.view
    }

    /// It was chosen.
    func count(_ registry: StatsRegistry) {
      if let total { registry.mainSlab.increment(total) }
    }
  }

  private let sockets: ClusterSockets
  /// In the order of ``ClusterSockets/all``.
  let all: [Choice]

  /// - Parameter scope: Of the cluster; with matches it has counters of how often each was chosen.
  init(_ sockets: ClusterSockets, _ table: SocketTable, _ scope: StatsScope) {
    self.sockets = sockets
    let counts = sockets.matches.isEmpty ? nil : scope
    all = sockets.all.map { Choice($0, table, counts) }
  }

  /// How a check speaks to a host.
  func choice(_ check: ActiveCheck, _ host: HostPlan) -> Choice {
    guard let criteria = check.socketCriteria else { return all[host.socket] }
    return all[sockets.choose(criteria, host.localitySocketLabels)]
  }
}
