import HTTPCore
import Primitives

/// Writes the header of the PROXY protocol (haproxy.org `proxy-protocol.txt`): who the client is.
public enum ProxyProtocolHeader {
  /// Suffices for either version.
  public static let bytesMax = 108

  /// - Parameters:
  ///   - source: The client; without an address the header says that nothing is known.
  ///   - target: Room for ``bytesMax`` bytes.
  /// - Returns: How many bytes were written.
  public static func write(
    version: UInt8, source: StreamInfo.Endpoint, destination: StreamInfo.Endpoint,
    to target: UnsafeMutablePointer<UInt8>
  ) -> Int {
    guard let from = source.ip, let to = destination.ip, from.family == to.family else {
      return version == 1 ? put("PROXY UNKNOWN\r\n", 0, target) : writeBinary(nil, to: target)
    }
    let pair = Pair(source: from, sourcePort: source.port, destination: to, destinationPort: destination.port)
    return version == 1 ? writeText(pair, to: target) : writeBinary(pair, to: target)
  }

  private struct Pair {
    let source: IPAddress
    let sourcePort: UInt16
    let destination: IPAddress
    let destinationPort: UInt16
  }

  private static func put(_ text: StaticString, _ at: Int, _ target: UnsafeMutablePointer<UInt8>) -> Int {
    let view = ByteView(text)
    (target + at).update(from: view.base, count: view.count)
    return at + view.count
  }

  private static func writeText(_ pair: Pair, to target: UnsafeMutablePointer<UInt8>) -> Int {
    var at = put(pair.source.family == .v4 ? "PROXY TCP4 " : "PROXY TCP6 ", 0, target)
    at += pair.source.write(to: target + at)
    at = put(" ", at, target)
    at += pair.destination.write(to: target + at)
    at = put(" ", at, target)
    at += Decimal.write(UInt64(pair.sourcePort), to: target + at)
    at = put(" ", at, target)
    at += Decimal.write(UInt64(pair.destinationPort), to: target + at)
    return put("\r\n", at, target)
  }

  private static func writeBinary(_ pair: Pair?, to target: UnsafeMutablePointer<UInt8>) -> Int {
    var at = Self.put("\r\n\r\n\0\r\nQUIT\n", 0, target)
    func put(_ value: UInt64, bytes: Int) {
      for i in 0..<bytes {
        target[at] = UInt8(truncatingIfNeeded: value >> UInt64((bytes - 1 - i) * 8))
        at += 1
      }
    }
    guard let pair else {
      // LOCAL: the connection is the proxy's own as far as anybody knows.
      put(0x20, bytes: 1)
      put(0, bytes: 3)
      return at
    }
    func put(_ address: IPAddress) {
      switch address.family {
      case .v4: put(UInt64(address.v4), bytes: 4)
      case .v6:
        put(address.high, bytes: 8)
        put(address.low, bytes: 8)
      }
    }
    let isV4 = pair.source.family == .v4
    put(0x21, bytes: 1)
    put(isV4 ? 0x11 : 0x21, bytes: 1)
    put(isV4 ? 12 : 36, bytes: 2)
    put(pair.source)
    put(pair.destination)
    put(UInt64(pair.sourcePort), bytes: 2)
    put(UInt64(pair.destinationPort), bytes: 2)
    return at
  }
}
