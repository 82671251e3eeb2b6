import Glibc
import Synchronization

/// Tells on standard error which seeds were running when the process is brought down by a trap: an
/// assertion of the proxy says what was wrong, and this says how to see it again.
public enum CrashNote {
  private static let slotCount = 8
  /// Seed plus one by slot; 0 when free.
  private static let running: [RunningSeed] = (0..<slotCount).map { _ in RunningSeed() }

  private final class RunningSeed: Sendable {
    let value = Atomic<UInt64>(0)
  }

  /// Marks a seed as running; call the result when it is over.
  static func begin(_ seed: UInt64) -> () -> Void {
    install()
    for slot in running
    where slot.value.compareExchange(expected: 0, desired: seed &+ 1, ordering: .relaxed).exchanged {
      return { slot.value.store(0, ordering: .relaxed) }
    }
    return {}
  }

  private static let installed: Void = {
    for number in [SIGILL, SIGTRAP, SIGABRT, SIGSEGV, SIGBUS] {
      var action = sigaction()
      action.__sigaction_handler.sa_handler = { CrashNote.write($0) }
      action.sa_flags = Int32(bitPattern: UInt32(SA_RESETHAND))
      var old = sigaction()
      sigaction(number, &action, &old)
      previous.store(number, old)
    }
  }()

  private static func install() { _ = installed }

  private static let previous = PreviousActions()

  /// What handled the signals before: it goes on after the note, so that a backtrace is still made.
  private final class PreviousActions: @unchecked Sendable {
    // Sendable: written once before the handlers can run.
    private let actions = UnsafeMutablePointer<sigaction>.allocate(capacity: 65)
    private let isKnown = UnsafeMutablePointer<Bool>.allocate(capacity: 65)

    init() { isKnown.initialize(repeating: false, count: 65) }

    func store(_ number: Int32, _ action: sigaction) {
      (actions + Int(number)).initialize(to: action)
      isKnown[Int(number)] = true
    }

    func restore(_ number: Int32) {
      if isKnown[Int(number)] { sigaction(number, actions + Int(number), nil) }
    }
  }

  /// In a signal handler: `write` only.
  private static func write(_ number: Int32) {
    // No iterator: it may allocate, and the heap's lock may be what the crash has left taken.
    var index = 0
    while index < slotCount {
      let value = running[index].value.load(ordering: .relaxed)
      index += 1
      guard value > 0 else { continue }
      put("\ncrashed while running this seed: swift run apus-simulate --trace --seed ")
      var digits = InlineArray<20, UInt8>(repeating: 48)
      var rest = value &- 1
      var at = 19
      repeat {
        digits[at] = 48 + UInt8(truncatingIfNeeded: rest % 10)
        rest /= 10
        at -= 1
      } while rest > 0 && at >= 0
      at += 1
      while at < 20 {
        var digit = digits[at]
        _ = Glibc.write(2, &digit, 1)
        at += 1
      }
      put("\n")
    }
    previous.restore(number)
    raise(number)
  }

  private static func put(_ text: StaticString) {
    _ = Glibc.write(2, text.utf8Start, text.utf8CodeUnitCount)
  }
}
