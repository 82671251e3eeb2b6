import HTTPCore
import Primitives
import Testing

@testable import Proxy

/// What is written is what the parser reads.
@Suite struct ProxyProtocolHeaderTests {
  private func write(_ version: UInt8, _ source: StreamInfo.Endpoint, _ destination: StreamInfo.Endpoint) -> [UInt8] {
    var room = [UInt8](repeating: 0xEE, count: ProxyProtocolHeader.bytesMax + 8)
    let count = room.withUnsafeMutableBufferPointer {
      ProxyProtocolHeader.write(version: version, source: source, destination: destination, to: $0.baseAddress!)
    }
    #expect(count <= ProxyProtocolHeader.bytesMax)
    #expect(room[count...].allSatisfy { $0 == 0xEE }, "nothing is written behind the header")
    return Array(room[..<count])
  }

  private func endpoint(_ text: String, _ port: UInt16) -> StreamInfo.Endpoint {
    StreamInfo.Endpoint(ip: IPAddress(text), port: port)
  }

  @Test(arguments: [
    ("1.2.3.4", "5.6.7.8"), ("255.255.255.255", "127.127.127.127"), ("::1", "2001:db8::8"),
    ("1111:2222:3333:4444:5555:6666:7777:8888", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
  ])
  func addresses(_ source: String, _ destination: String) throws {
    for version in [1, 2] as [UInt8] {
      for port in [0, 443, 65_535] as [UInt16] {
        let bytes = write(version, endpoint(source, port), endpoint(destination, 65_535))
        let expected = ProxyProtocolParser.Addresses(
          source: try #require(IPAddress(source)), sourcePort: port,
          destination: try #require(IPAddress(destination)), destinationPort: 65_535)
        let outcome = bytes.withUnsafeBufferPointer { ProxyProtocolParser.parse(ByteView($0.baseAddress!, $0.count)) }
        #expect(outcome == .complete(length: bytes.count, addresses: expected))
      }
    }
  }

  @Test func text() {
    #expect(
      write(1, endpoint("1.2.3.4", 5), endpoint("6.7.8.9", 10)) == Array("PROXY TCP4 1.2.3.4 6.7.8.9 5 10\r\n".utf8))
  }

  /// A client on a Unix socket, or addresses of two families.
  @Test func unknown() {
    for (source, destination) in [
      (StreamInfo.Endpoint.none, endpoint("1.2.3.4", 5)), (endpoint("1.2.3.4", 5), .none),
      (endpoint("::1", 5), endpoint("1.2.3.4", 5)),
    ] {
      #expect(write(1, source, destination) == Array("PROXY UNKNOWN\r\n".utf8))
      let bytes = write(2, source, destination)
      let outcome = bytes.withUnsafeBufferPointer { ProxyProtocolParser.parse(ByteView($0.baseAddress!, $0.count)) }
      #expect(outcome == .complete(length: 16, addresses: nil))
    }
  }
}
