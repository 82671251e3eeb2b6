/// A pipe inside the simulated kernel: bytes between two splices.
final class KernelPipe {
  let capacity: Int
  var bytes = ByteQueue()
  /// Descriptors that are still open.
  var openEnds = 2

  init(capacity: Int) { self.capacity = capacity }

  var room: Int { max(0, capacity - bytes.count) }
}
