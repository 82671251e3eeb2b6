/// Which localities a cluster's hosts are in. Shared by all sets with the same hosts.
public final class HostLocalities: Sendable {
  /// The own one first, when a host is in it; the others by region, zone and sub-zone, as Envoy sorts them.
  public let names: [HostConfig.Locality]
  /// By host: position in ``names``.
  let ofHost: [UInt32]
  public let isOwnFirst: Bool
  /// What it was made for; nil: no locality is the own one.
  public let own: HostConfig.Locality?

  init(_ hosts: [Frozen<HostConfig>], own: HostConfig.Locality?) {
    self.own = own
    var names: [HostConfig.Locality] = []
    // Hosts of one locality mostly come one after the other.
    var last: HostConfig.Locality?
    var seen: Set<HostConfig.Locality> = []
    for host in hosts where host.pointer.pointee.locality != last {
      last = host.pointer.pointee.locality
      if let last, seen.insert(last).inserted { names.append(last) }
    }
    names.sort()
    isOwnFirst = own.map { seen.contains($0) } ?? false
    if isOwnFirst, let own {
      names.removeAll { $0 == own }
      names.insert(own, at: 0)
    }
    self.names = names
    let places = Dictionary(uniqueKeysWithValues: names.enumerated().map { ($1, UInt32($0)) })
    var place: UInt32 = 0
    last = nil
    ofHost = hosts.map { host in
      if host.pointer.pointee.locality != last {
        last = host.pointer.pointee.locality
        place = last.flatMap { places[$0] } ?? 0
      }
      return place
    }
  }
}

extension HostConfig.Locality: Comparable {
  public static func < (a: Self, b: Self) -> Bool {
    (a.region, a.zone, a.subZone) < (b.region, b.zone, b.subZone)
  }

  public var isEmpty: Bool { region.isEmpty && zone.isEmpty && subZone.isEmpty }

  /// For people: what is known of it, the largest part first.
  public var description: String {
    let parts = [region, zone, subZone].filter { !$0.isEmpty }
    return parts.isEmpty ? "(none)" : parts.joined(separator: "/")
  }
}

/// A locality of a priority level: what `load_balancing_weight` of a group of endpoints is about.
public struct LevelLocality: Sendable, Hashable {
  public let priority: UInt32
  public let locality: HostConfig.Locality

  public init(priority: UInt32, locality: HostConfig.Locality) {
    self.priority = priority
    self.locality = locality
  }
}
