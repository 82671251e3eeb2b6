import Proxy

/// A known bug, planted to show that the checks find it.
public struct Plant: Sendable {
  private let kernelBug: KernelPlant.Bug?
  private let sabotage: Sabotage?
  private let victim: Int

  /// What only debug builds can plant: release builds of the proxy have no code for it.
  public static var namesOfDebugBuilds: [String] { Sabotage.allCases.map(\.rawValue) }

  /// What this build can plant.
  public static var names: [String] {
    KernelPlant.Bug.allCases.map(\.rawValue) + Sabotage.available.map(\.rawValue)
  }

  /// - Parameters:
  ///   - name: One of ``names``.
  ///   - victim: Which occasion is used, for bugs that happen once.
  public init?(_ name: String, victim: Int = 20) {
    kernelBug = KernelPlant.Bug(rawValue: name)
    sabotage = Sabotage.available.first { $0.rawValue == name }
    self.victim = victim
    if kernelBug == nil, sabotage == nil { return nil }
  }

  var kernelPlant: KernelPlant? { kernelBug.map { KernelPlant($0, victim: victim) } }

  /// Does the damage; true when it is done and no more is needed.
  func afterTurn(_ worker: Worker) -> Bool { sabotage.map { worker.suffer($0) } ?? true }
}
