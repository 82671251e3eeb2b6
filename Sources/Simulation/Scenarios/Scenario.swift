/// A course of events with an outcome in numbers: hosts that follow scripts behind one proxy, and clients that come at a
/// rate, whatever becomes of those before.
public struct Scenario: Sendable {
  /// How fast a host works.
  public struct Service: Sendable {
    /// Of work for a request.
    public var nanoseconds: UInt64
    /// Requests that it works on at a time; the others wait in line. It does not notice that somebody has given up: what
    /// is in line is done, and nobody wants it.
    public var parallel: Int

    /// - Parameter milliseconds: For a request.
    public init(milliseconds: Double, parallel: Int = .max) {
      nanoseconds = UInt64(milliseconds * 1e6)
      self.parallel = parallel
    }
  }

  public struct Host: Sendable {
    /// The last number of its address, 10.1.1.x.
    public let number: Int
    public var zone = ""
    public var priority = 0
    public var script = HostScript()
    public var service: Service

    public init(
      _ number: Int, zone: String = "", priority: Int = 0, script: HostScript = HostScript(),
      service: Service = Service(milliseconds: 2)
    ) {
      self.number = number
      self.zone = zone
      self.priority = priority
      self.script = script
      self.service = service
    }
  }

  /// So many requests a second, from then on.
  public struct Load: Sendable {
    public let from: Double
    public let rate: Double

    public init(from: Double, rate: Double) {
      self.from = from
      self.rate = rate
    }
  }

  public var hosts: [Host]
  /// What the proxy is told, and at which second; the first at 0.
  public var configurations: [(at: Double, configuration: ScenarioConfiguration)]
  public var load: [Load]
  /// When no more clients come.
  public var seconds: Double
  /// A client that has not been answered by then leaves.
  public var patienceSeconds = 5.0
  /// Of the proxy's own answers; 200 is a host's.
  public var allowedStatuses: Set<Int> = [200]

  public init(
    hosts: [Host], _ configuration: ScenarioConfiguration, load: [Load], seconds: Double
  ) {
    self.hosts = hosts
    self.configurations = [(0, configuration)]
    self.load = load
    self.seconds = seconds
  }

  /// Plays it.
  ///
  /// - Parameters:
  ///   - seed: When clients come, and the kernel's freedom.
  ///   - print: Takes the readable trace, a line at a time.
  public func run(seed: UInt64 = 1, plant: Plant? = nil, print: ((String) -> Void)? = nil) -> ScenarioResult {
    let isOver = CrashNote.begin(seed)
    defer { isOver() }
    do {
      let world = try ScenarioWorld(self, seed: seed, plant: plant, print: print)
      defer { world.dispose() }
      return world.run()
    } catch {
      return ScenarioResult(violations: [Violation(time: 0, text: "the scenario does not start: \(error)")])
    }
  }
}
