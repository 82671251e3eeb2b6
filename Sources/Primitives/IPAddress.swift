#if canImport(Glibc)
  import Glibc
#endif

/// An IPv4 or IPv6 address as a trivial value: 16 bytes in network order (IPv4 in the first four).
@frozen
public struct IPAddress: Hashable, Sendable {
  public enum Family: UInt8, Sendable { case v4, v6 }

  public var high: UInt64  // network byte order, read as big endian
  public var low: UInt64
  public var family: Family

  public init(high: UInt64, low: UInt64, family: Family) {
    self.high = high
    self.low = low
    self.family = family
  }

  /// `address` in host byte order, e.g. 0x7F000001.
  public init(v4 address: UInt32) {
    self.init(high: UInt64(address) << 32, low: 0, family: .v4)
  }

  public var v4: UInt32 { UInt32(truncatingIfNeeded: high >> 32) }

  /// Parses the text forms of RFC 4291 and dotted decimal; no names, no ports, no brackets, no zones.
  public init?(_ text: String) {
    // The C functions would stop at a NUL and not see what follows.
    guard !text.utf8.contains(0) else { return nil }
    var four = in_addr()
    if inet_pton(AF_INET, text, &four) == 1 {
      self.init(v4: UInt32(bigEndian: four.s_addr))
      return
    }
    var six = in6_addr()
    guard inet_pton(AF_INET6, text, &six) == 1 else { return nil }
    self.init(six)
  }

  public init(_ six: in6_addr) {
    let (high, low) = withUnsafeBytes(of: six) {
      (
        UInt64(bigEndian: $0.loadUnaligned(fromByteOffset: 0, as: UInt64.self)),
        UInt64(bigEndian: $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
      )
    }
    self.init(high: high, low: low, family: .v6)
  }

  public var bitWidth: Int { family == .v4 ? 32 : 128 }

  /// ::ffff:a.b.c.d as its IPv4 address; others unchanged.
  public var unmapped: IPAddress {
    guard family == .v6, high == 0, low >> 32 == 0xFFFF else { return self }
    return IPAddress(v4: UInt32(truncatingIfNeeded: low))
  }

  public var isLoopback: Bool {
    family == .v4 ? high >> 56 == 127 : high == 0 && low == 1
  }

  /// Writes the text form into `target` (46 bytes suffice) and returns its length.
  public func write(to target: UnsafeMutablePointer<UInt8>) -> Int {
    if family == .v4 {
      var at = Decimal.write(high >> 56, to: target)
      var shift: UInt64 = 48
      while shift >= 32 {
        target[at] = 46
        at += 1
        at += Decimal.write(high >> shift & 0xFF, to: target + at)
        shift -= 8
      }
      return at
    }
    var bytes = (high.bigEndian, low.bigEndian)
    return withUnsafePointer(to: &bytes) { raw in
      target.withMemoryRebound(to: CChar.self, capacity: 46) {
        guard inet_ntop(AF_INET6, raw, $0, 46) != nil else { return 0 }
        return strlen($0)
      }
    }
  }
}

extension IPAddress: CustomStringConvertible {
  public var description: String {
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 48) { room in
      guard let base = room.baseAddress else { return "" }
      let count = write(to: base)
      return String(decoding: UnsafeBufferPointer(start: base, count: count), as: UTF8.self)
    }
  }
}

extension IPAddress {
  /// Parses text without making a `String`; up to 45 bytes.
  public init?(_ text: ByteView) {
    guard text.count > 0, text.count <= 45 else { return nil }
    let parsed = withUnsafeTemporaryAllocation(of: CChar.self, capacity: 48) {
      room -> IPAddress? in
      for i in 0..<text.count { room[i] = CChar(bitPattern: text[i]) }
      room[text.count] = 0
      guard let base = room.baseAddress else { return nil }
      var four = in_addr()
      if inet_pton(AF_INET, base, &four) == 1 {
        return IPAddress(v4: UInt32(bigEndian: four.s_addr))
      }
      var six = in6_addr()
      return inet_pton(AF_INET6, base, &six) == 1 ? IPAddress(six) : nil
    }
    guard let parsed else { return nil }
    self = parsed
  }
}
