import Reactor

/// Bytes on their way from one socket to another through a pipe: they stay inside the kernel, and
/// nobody copies them.
///
/// At any time the pipe is filled from the source or emptied into the target, never both. What it
/// holds counts as output of the target, ahead of the target's queue.
struct Splice {
  let pipe: Pipe
  /// Nil when everything has been taken from it, or it has closed.
  var source: ConnectionRef?
  let target: ConnectionRef
  /// Bytes in the pipe.
  var heldBytes = 0
  /// The target has no room.
  var isPaused = false

  init(pipe: Pipe, source: ConnectionRef, target: ConnectionRef) {
    self.pipe = pipe
    self.source = source
    self.target = target
  }
}

typealias SpliceRef = UnsafeMutablePointer<Splice>
