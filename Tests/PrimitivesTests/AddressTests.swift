import Testing

@testable import Primitives

@Suite struct AddressTests {
  @Test(arguments: [
    "0.0.0.0", "127.0.0.1", "255.255.255.255", "::", "::1", "2001:db8::8:800:200c:417a",
  ])
  func addressesRoundTrip(_ text: String) {
    #expect(IPAddress(text)?.description == text)
  }

  @Test(arguments: [
    "", "1.2.3", "1.2.3.4.5", "256.1.1.1", "1.2.3.4 ", "[::1]", "::1%lo", ":::", "a", "1.2.3.4\0x",
  ])
  func badAddresses(_ text: String) {
    #expect(IPAddress(text) == nil)
  }

  @Test func parts() {
    #expect(IPAddress(v4: 0x7F00_0001).description == "127.0.0.1")
    #expect(IPAddress("1.2.3.4")?.v4 == 0x0102_0304)
    #expect(IPAddress("::ffff:1.2.3.4")?.unmapped == IPAddress("1.2.3.4"))
    #expect(IPAddress("::1")?.unmapped == IPAddress("::1"))
    #expect(IPAddress("127.9.9.9")?.isLoopback == true)
    #expect(IPAddress("::1")?.isLoopback == true)
    #expect(IPAddress("::2")?.isLoopback == false)
    #expect(IPAddress("128.0.0.1")?.isLoopback == false)
  }

  @Test(arguments: [
    ("10.0.0.0", 8, "10.255.0.1", true), ("10.0.0.0", 8, "11.0.0.0", false),
    ("10.1.2.3", 8, "10.9.9.9", true), ("0.0.0.0", 0, "9.9.9.9", true),
    ("0.0.0.0", 0, "::1", false),
    ("1.2.3.4", 32, "1.2.3.4", true), ("1.2.3.4", 32, "1.2.3.5", false),
    ("2001:db8::", 32, "2001:db8:ffff::1", true), ("2001:db8::", 32, "2001:db9::", false),
    ("::", 0, "ffff::", true), ("::1", 128, "::1", true), ("::1", 128, "::2", false),
    ("1:2:3:4:5::", 72, "1:2:3:4:5ff::", false), ("1:2:3:4:500::", 72, "1:2:3:4:5ff::", true),
    ("1:2:3:4::", 64, "1:2:3:4:ffff::", true),
  ])
  func ranges(_ base: String, _ length: Int, _ candidate: String, _ inside: Bool) throws {
    let address = try #require(IPAddress(base))
    let other = try #require(IPAddress(candidate))
    let range = try #require(AddressRange(address, prefixLength: length))
    #expect(range.contains(other) == inside)
  }

  @Test func badRanges() throws {
    let four = try #require(IPAddress("1.2.3.4"))
    let six = try #require(IPAddress("::1"))
    #expect(AddressRange(four, prefixLength: 33) == nil)
    #expect(AddressRange(four, prefixLength: -1) == nil)
    #expect(AddressRange(six, prefixLength: 129) == nil)
    #expect(AddressRange(four, prefixLength: 8)?.address == IPAddress("1.0.0.0"))
  }

  @Test(arguments: ["1.2.3.4:80", "[::1]:65535", "/run/a.sock", "@abstract"])
  func socketAddressesRoundTrip(_ text: String) {
    let isPipe = !text.contains(":") || text.hasPrefix("/")
    let address = SocketAddress(isPipe ? "unix:" + text : text)
    #expect(address?.description == text)
    #expect((address?.port == nil) == isPipe)
    #expect((address?.ip == nil) == isPipe)
  }

  @Test func anyAddress() {
    #expect(SocketAddress(":80")?.description == "0.0.0.0:80")
  }

  @Test(arguments: [
    "", "1.2.3.4", "1.2.3.4:", "1.2.3.4:65536", "1.2.3.4:+80", "1.2.3.4:-1", "::1:80", "[]:80",
    "[1.2.3.4]:80", "[::1:80", "host:80", "unix:",
  ])
  func badSocketAddresses(_ text: String) {
    #expect(SocketAddress(text) == nil)
  }
}
