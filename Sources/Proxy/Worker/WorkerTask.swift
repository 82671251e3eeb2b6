import Primitives
import Reactor

/// Something that is due later on a thread besides traffic: main's checks, sweeps and publications are such.
///
/// A task is scheduled with one worker at a time, and must not be when it is freed.
public final class WorkerTask {
  fileprivate let node: UnsafeMutablePointer<TimerNode>
  private let body: () -> Void

  public init(_ body: @escaping () -> Void) {
    self.body = body
    node = .allocate(capacity: 1)
    let owner = Unmanaged.passUnretained(self).toOpaque()
    node.initialize(to: TimerNode(kind: TimerKind.task.rawValue, owner: owner))
  }

  deinit {
    precondition(!node.pointee.isScheduled, "a task was freed before its time")
    node.deallocate()
  }

  public var isScheduled: Bool { node.pointee.isScheduled }

  fileprivate func run() { body() }
}

extension Worker {
  /// Runs `task` on this thread in so many milliseconds; one that is scheduled moves.
  public func schedule(_ task: WorkerTask, inMilliseconds wait: UInt64) {
    timers.schedule(task.node, at: (now / 1_000_000).saturatingAdd(max(1, wait)))
  }

  public func cancel(_ task: WorkerTask) { timers.cancel(task.node) }

  func runTask(_ node: UnsafeMutablePointer<TimerNode>) {
    // It may drop the last other reference to itself.
    Unmanaged<WorkerTask>.fromOpaque(node.pointee.owner).takeUnretainedValue().run()
  }

  /// Writes a line into one of the log writer's files. For threads that have something to tell besides traffic.
  public func writeLog(_ line: String, target: UInt16) {
    var line = line
    line.withUTF8 { bytes in
      guard let base = bytes.baseAddress else { return }
      _ = logRing.write(target: target, ByteView(base, bytes.count))
    }
  }
}
