import HTTPCore
import Primitives

/// The comma-separated names of response flags, `-` for none.
enum ResponseFlagText {
  private struct Names {
    let short: UnsafePointer<ByteView>
    let long: UnsafePointer<ByteView>
    let count: Int
  }
  // Immortal tables: an array of tuples would be retained for each look-up.
  nonisolated(unsafe) private static let names: Names = {
    let all = ResponseFlags.names
    let short = UnsafeMutablePointer<ByteView>.allocate(capacity: all.count)
    let long = UnsafeMutablePointer<ByteView>.allocate(capacity: all.count)
    for (i, name) in all.enumerated() {
      (short + i).initialize(to: ByteView(name.short))
      (long + i).initialize(to: ByteView(name.long))
    }
    return Names(short: UnsafePointer(short), long: UnsafePointer(long), count: all.count)
  }()

  /// - Parameter isRequest: Of a request, not of a TCP session.
  static func write(_ flags: ResponseFlags, long: Bool, isRequest: Bool, to sink: inout ByteSink) {
    var rest = flags.rawValue
    if rest == 0 {
      sink.write(UInt8(ascii: "-"))
      return
    }
    let names = Self.names
    var isFirst = true
    // Envoy prints flags as they were set: of a request that nothing was left comes before what happened last.
    let usedUp = ResponseFlags.upstreamRetryLimitExceeded.rawValue
    if isRequest, rest & usedUp != 0 {
      rest &= ~usedUp
      let bit = usedUp.trailingZeroBitCount
      sink.write(long ? names.long[bit] : names.short[bit])
      isFirst = false
    }
    while rest != 0 {
      let bit = rest.trailingZeroBitCount
      rest &= rest &- 1
      guard bit < names.count else { return }
      if !isFirst { sink.write(UInt8(ascii: ",")) }
      sink.write(long ? names.long[bit] : names.short[bit])
      isFirst = false
    }
  }
}

/// A version 4 UUID (RFC 9562 section 5.4) from 128 random bits.
enum UUIDText {
  static func write(high: UInt64, low: UInt64, to sink: inout ByteSink) {
    let first = (high & 0xFFFF_FFFF_FFFF_0FFF) | 0x4000
    let second = (low & 0x3FFF_FFFF_FFFF_FFFF) | 0x8000_0000_0000_0000
    for digit in 0..<32 {
      if digit == 8 || digit == 12 || digit == 16 || digit == 20 { sink.write(45) }
      let word = digit < 16 ? first : second
      let nibble = UInt8(truncatingIfNeeded: word >> UInt64(60 - digit % 16 * 4)) & 15
      sink.write(nibble < 10 ? 48 + nibble : 87 + nibble)
    }
  }
}

extension ByteView {
  /// The first value of `name` in a query string (without its question mark); nothing is decoded.
  public func queryParameter(_ name: ByteView) -> ByteView? {
    var start = 0
    while start <= count {
      let rest = dropFirst(start)
      let length = rest.firstIndex(of: UInt8(ascii: "&")) ?? rest.count
      let pair = rest.prefix(length)
      if let equals = pair.firstIndex(of: UInt8(ascii: "=")) {
        if pair.prefix(equals) == name { return pair.dropFirst(equals + 1) }
      } else if pair == name, !(pair.isEmpty && count == 0) {
        return pair.dropFirst(pair.count)
      }
      start += length + 1
    }
    return nil
  }

  /// Where `:port` begins in a host: the last colon with a number of 32 bits alone behind it (so never
  /// within an IPv6 literal's brackets).
  public var portStart: Int? {
    var at = count
    while at > 0, ASCII.isDigit(base[at - 1]) { at -= 1 }
    guard at > 0, base[at - 1] == UInt8(ascii: ":"), dropFirst(at).decimal(limit: UInt64(UInt32.max)) != nil
    else { return nil }
    return at - 1
  }
}

extension ByteSink {
  mutating func write(value: ByteView, _ escaping: ValueEscaping) {
    switch escaping {
    case .none: write(value)
    case .json: JSONText.write(value, to: &self)
    }
  }

  mutating func write(
    _ endpoint: StreamInfo.Endpoint, withPort: Bool, _ escaping: ValueEscaping
  ) {
    guard let ip = endpoint.ip else {
      write(value: endpoint.path, escaping)
      return
    }
    let brackets = withPort && ip.family == .v6
    if brackets { write(UInt8(ascii: "[")) }
    write(ip)
    if brackets { write(UInt8(ascii: "]")) }
    if withPort {
      write(UInt8(ascii: ":"))
      write(decimal: UInt64(endpoint.port))
    }
  }

  /// Turns white space written since `mark` into underscores.
  mutating func replaceWhitespace(from mark: Int) {
    for i in mark..<count {
      let byte = base[i]
      if byte == 32 || (byte >= 9 && byte <= 13) { base[i] = UInt8(ascii: "_") }
    }
  }
}
