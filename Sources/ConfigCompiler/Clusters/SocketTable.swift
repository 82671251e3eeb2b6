import Proxy

/// Transport sockets of a cluster that speak TLS, by the number that hosts know them by (``HostConfig/transport``).
///
/// A number goes with the settings from one configuration to the next. So hosts whose socket did not change keep their
/// connections whatever became of the others, and those whose did are seen by their other number.
struct SocketTable {
  struct Entry {
    let settings: TransportSettings
    let place: TLSPlace<TLSClientConfig>
    /// The configuration before did not have it.
    let isNew: Bool
  }

  /// The first is nil: plain.
  private(set) var entries: [Entry?] = [nil]
  private var numbers: [TransportSettings: Int] = [:]

  /// - Parameter place: Makes a place for a socket's TLS.
  init(_ sockets: ClusterSockets, after previous: SocketTable?, place: (TLSClientConfig) -> TLSPlace<TLSClientConfig>) {
    var fresh: [(TransportSettings, TLSClientConfig)] = []
    entries = Array(repeating: nil, count: previous?.entries.count ?? 1)
    for socket in sockets.all {
      guard let settings = socket.settings, let tls = socket.tls else { continue }
      if let number = previous?.numbers[settings] {
        if numbers[settings] == nil { add(Entry(settings: settings, place: place(tls), isNew: false), at: number) }
      } else {
        fresh.append((settings, tls))
      }
    }
    var free = 1
    for (settings, tls) in fresh where numbers[settings] == nil {
      // Not the number of one that is just leaving: its hosts are not to be taken for this one's.
      while free < entries.count, entries[free] != nil || previous?.holds(free) ?? false { free += 1 }
      if free == entries.count { entries.append(nil) }
      add(Entry(settings: settings, place: place(tls), isNew: true), at: free)
    }
  }

  /// Says when certificates end: of all sockets together, whose files may have the same names.
  func showCertificates() {
    let places = entries.compactMap { $0?.place }
    places.first?.stats.show(places.map(\.slot.current.inventory))
  }

  private mutating func add(_ entry: Entry, at number: Int) {
    entries[number] = entry
    numbers[entry.settings] = number
  }

  private func holds(_ number: Int) -> Bool { number < entries.count && entries[number] != nil }

  /// 0 for plain.
  func number(of settings: TransportSettings?) -> UInt16 {
    UInt16(clamping: settings.flatMap { numbers[$0] } ?? 0)
  }

  func entry(of settings: TransportSettings?) -> Entry? {
    settings.flatMap { numbers[$0] }.flatMap { entries[$0] }
  }
}
