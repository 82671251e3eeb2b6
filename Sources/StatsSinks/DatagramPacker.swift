/// Puts lines together into datagrams, separated by newlines: bytes only, no sockets.
public struct DatagramPacker {
  /// The payload that fits an Ethernet frame with room for tunnel headers.
  public static let defaultBytesMax = 1432
  /// A longer line is not sent at all: no UDP datagram, and no sensible server, takes it.
  public static let lineBytesMax = 8192

  private let bytesMax: Int
  private var datagram: [UInt8] = []

  /// - Parameter bytesMax: Largest datagram with more than one line; 0 puts every line into its own.
  public init(bytesMax: Int = DatagramPacker.defaultBytesMax) {
    self.bytesMax = bytesMax
  }

  /// Adds a line, and calls `emit` with a datagram that became full by it.
  ///
  /// - Returns: False when the line is empty or too long and was left out.
  public mutating func add(_ line: ArraySlice<UInt8>, emit: ([UInt8]) -> Void) -> Bool {
    guard !line.isEmpty, line.count <= Self.lineBytesMax else { return false }
    if !datagram.isEmpty, datagram.count + 1 + line.count > bytesMax { flush(emit: emit) }
    if !datagram.isEmpty { datagram.append(UInt8(ascii: "\n")) }
    datagram += line
    return true
  }

  /// Calls `emit` with what is left.
  public mutating func flush(emit: ([UInt8]) -> Void) {
    guard !datagram.isEmpty else { return }
    emit(datagram)
    datagram.removeAll(keepingCapacity: true)
  }
}
