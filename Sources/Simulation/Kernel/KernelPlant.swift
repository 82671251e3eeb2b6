/// A known bug, planted to show that the checks find it.
final class KernelPlant {
  enum Bug: String, CaseIterable {
    /// Receive buffers are overwritten although the worker still has them, as if it had given them back.
    case bufferReturnedEarly
    /// One completion never comes.
    case lostCompletion
    /// A pipe that holds bytes of a broken exchange is used again, as if it had been given back as empty.
    case pipeReturnedFull
    /// A splice takes a byte that never goes anywhere.
    case spliceLosesByte
  }

  private let bug: Bug
  private var seen = 0
  private let victim: Int
  private var discarded = ByteQueue()
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

  /// A pipe has been closed with bytes in it.
  func discarded(_ pipe: KernelPipe) {
    if bug == .pipeReturnedFull { discarded = pipe.bytes }
  }

  /// A new pipe.
  func made(_ pipe: KernelPipe) {
    if bug == .pipeReturnedFull { pipe.bytes = discarded }
  }

  /// Bytes have come into a pipe.
  func filled(_ pipe: KernelPipe) {
    guard bug == .spliceLosesByte else { return }
    seen += 1
    if seen == 2 { _ = pipe.bytes.take(1) }
  }

  func losesCompletion(_ userData: UInt64, _ result: Int32) -> Bool {
    guard bug == .lostCompletion else { return false }
    seen += 1
    return seen == victim
  }
}
