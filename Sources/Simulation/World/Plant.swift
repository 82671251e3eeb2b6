import Proxy

/// A known bug, planted to show that the checks find it.
public struct Plant: Sendable {
  let kernelBug: KernelPlant.Bug?
  let victim: Int

  public static let names: [String] = KernelPlant.Bug.allCases.map(\.rawValue)

  /// - Parameter name: One of ``names``.
  public init?(_ name: String, victim: Int = 20) {
    guard let bug = KernelPlant.Bug(rawValue: name) else { return nil }
    kernelBug = bug
    self.victim = victim
  }

  var kernelPlant: KernelPlant? { kernelBug.map { KernelPlant($0, victim: victim) } }

  func afterTurn(_ worker: Worker) {}
}
