import Reactor

/// The pipes of one worker, lent one a splice and used again when they come back empty.
///
/// They are few: each costs two descriptors, and what is in them is memory of the kernel. Without a
/// pipe a body goes the ordinary way.
struct PipePool: ~Copyable {
  /// Bytes asked for. The kernel's own default (64 KiB) costs a third more CPU for each byte.
  static let capacityBytes = 1 << 20
  static let lentMax = 64
  private static let idleMax = 16

  private let kernel: Kernel
  private var idle: [Pipe] = []
  private(set) var lentCount = 0
  var idleCount: Int { idle.count }

  init(kernel: Kernel) { self.kernel = kernel }

  deinit {
    for pipe in idle { Self.close(pipe, kernel) }
  }

  mutating func take() -> Pipe? {
    guard lentCount < Self.lentMax else { return nil }
    guard let pipe = idle.popLast() ?? kernel.makePipe(capacityBytes: Self.capacityBytes) else {
      return nil
    }
    lentCount += 1
    return pipe
  }

  /// - Parameter isEmpty: A pipe with bytes of a broken exchange must never be used again.
  mutating func give(_ pipe: Pipe, isEmpty: Bool) {
    lentCount -= 1
    if isEmpty, idle.count < Self.idleMax {
      idle.append(pipe)
    } else {
      Self.close(pipe, kernel)
    }
  }

  private static func close(_ pipe: Pipe, _ kernel: Kernel) {
    kernel.close(pipe.readEnd)
    kernel.close(pipe.writeEnd)
  }
}
