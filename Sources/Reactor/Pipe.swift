/// Both ends of a pipe, in which a large body waits inside the kernel.
public struct Pipe {
  public let readEnd: Int32
  public let writeEnd: Int32
  /// Bytes that it holds at most when they come in whole pages.
  public let capacityBytes: Int

  public init(readEnd: Int32, writeEnd: Int32, capacityBytes: Int) {
    self.readEnd = readEnd
    self.writeEnd = writeEnd
    self.capacityBytes = capacityBytes
  }
}
