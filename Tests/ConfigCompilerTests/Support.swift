import ConfigCompiler
import ConfigLoader
import Foundation
import Primitives
import Proxy
import Stats
import Testing

/// A compiler with a registry of its own and sockets that are only numbers.
struct Bench {
  let registry: StatsRegistry
  let compiler: SnapshotCompiler
  var sockets = FakeSockets()

  init(options: CompilerOptions = CompilerOptions(workerNames: ["worker_0", "worker_1"])) throws {
    registry = try StatsRegistry(slabCount: 3)
    compiler = SnapshotCompiler(registry: registry, options: options)
  }

  /// Compiles text that is expected to be good.
  mutating func compile(
    _ text: String, sourceLocation: Testing.SourceLocation = #_sourceLocation
  ) throws -> Compilation {
    let loaded = try load(text, sourceLocation: sourceLocation)
    return try compile(loaded, sourceLocation: sourceLocation)
  }

  mutating func compile(
    _ loaded: LoadedConfiguration, sourceLocation: Testing.SourceLocation = #_sourceLocation
  ) throws -> Compilation {
    switch compiler.compile(loaded, sockets: &sockets) {
    case .compiled(let compilation): return compilation
    case .failed(let errors):
      let text = errors.map(\.description).joined(separator: "\n")
      Issue.record("\(text)", sourceLocation: sourceLocation)
      throw Failed()
    }
  }

  /// The errors of text that is expected to load but not to compile.
  mutating func errors(
    _ text: String, sourceLocation: Testing.SourceLocation = #_sourceLocation
  ) throws -> [String] {
    let loaded = try load(text, sourceLocation: sourceLocation)
    switch compiler.compile(loaded, sockets: &sockets) {
    case .compiled: return []
    case .failed(let errors): return errors.map(\.description)
    }
  }

  var metricNames: Set<String> { Set(registry.metrics.map(\.name)) }

  func value(_ name: String) -> UInt64? {
    registry.metrics.first { $0.name == name }.map { registry.value(of: $0) }
  }
}

struct Failed: Error {}

/// Hands out the same numbers for the same listener, address and options.
struct FakeSockets: ListenerSockets {
  private struct Key: Hashable {
    var name: String
    var addresses: [SocketAddress]
    var options: ListenerSocketOptions
  }

  private var known: [Key: [[Int32]]] = [:]
  private var next: Int32 = 100
  var requests: [String] = []
  var failure: String?

  mutating func sockets(
    for name: String, addresses: [SocketAddress], options: ListenerSocketOptions
  ) throws(ListenerSocketError) -> (sockets: [[Int32]], bound: [SocketAddress]) {
    requests.append(name)
    if let failure { throw ListenerSocketError(failure) }
    let key = Key(name: name, addresses: addresses, options: options)
    if known[key] == nil {
      known[key] = (0..<2).map { _ in
        addresses.map { _ in
          next += 1
          return next
        }
      }
    }
    let bound = addresses.map { address in
      address.port == 0 && address.ip != nil
        ? SocketAddress.ip(address.ip ?? IPAddress(v4: 0), port: 40_000) : address
    }
    return (known[key] ?? [], bound)
  }
}

func load(
  _ text: String, sourceLocation: Testing.SourceLocation = #_sourceLocation
) throws -> LoadedConfiguration {
  switch ConfigurationLoader.load([ConfigurationSource(name: "a.yaml", text: text)]) {
  case .loaded(let loaded): return loaded
  case .failed(let errors):
    let text = errors.map(\.description).joined(separator: "\n")
    Issue.record("\(text)", sourceLocation: sourceLocation)
    throw Failed()
  }
}

extension Frozen {
  var value: Value { pointer.pointee }
}

extension FrozenList {
  var array: [Element] { Array(buffer) }
}

extension FrozenText {
  var text: String { view.string }
}

extension Snapshot {
  /// The hosts of a cluster.
  func hosts(of name: String) -> HostSet? {
    guard let slot = clusters.array.firstIndex(where: { $0?.value.name.text == name }) else { return nil }
    return hosts.sets.array[slot]?.value
  }
}

extension HostSet {
  /// Indices of the hosts that a few hundred choices end at, ascending.
  var chosen: [Int32] {
    let set = Frozen(self)
    var balancer = BalancerState()
    defer { balancer.reset() }
    var random = FastRandom(seed: 1)
    let hosts = (0..<300).map { _ in balancer.choose(set.pointer, &random).host }
    return Set(hosts).subtracting([-1]).sorted()
  }
}
