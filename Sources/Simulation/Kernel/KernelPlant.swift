/// A known bug, planted to show that the checks find it.
final class KernelPlant {
  enum Bug: String, CaseIterable {
    /// Receive buffers are overwritten although the worker still has them, as if it had given them back.
    case bufferReturnedEarly
    /// One completion never comes.
    case lostCompletion
  }

  private let bug: Bug
  private var seen = 0
  private let victim: Int
  private var early: [(due: Int, buffer: ProvidedBuffers.Buffer)] = []

  /// - Parameter victim: Which occasion is used.
  init(_ bug: Bug, victim: Int) {
    self.bug = bug
    self.victim = victim
  }

  func delivered(_ buffer: ProvidedBuffers.Buffer) {
    guard bug == .bufferReturnedEarly else { return }
    seen += 1
    if seen % 4 == 0 { early.append((0, buffer)) }
  }

  /// The worker has had its turn.
  func beforeSubmission(_ kernel: SimulatedKernel) {
    for entry in early { ProvidedBuffers.overwrite(entry.buffer.memory, entry.buffer.byteCount) }
    early = []
  }

  func losesCompletion(_ userData: UInt64, _ result: Int32) -> Bool {
    guard bug == .lostCompletion else { return false }
    seen += 1
    return seen == victim
  }
}
