/// A CIDR block (RFC 4632): an address and how many of its leading bits must agree.
@frozen
public struct AddressRange: Hashable, Sendable {
  public let address: IPAddress
  public let prefixLength: Int

  /// - Returns: nil when `prefixLength` does not fit the family. Host bits are cleared.
  public init?(_ address: IPAddress, prefixLength: Int) {
    guard (0...address.bitWidth).contains(prefixLength) else { return nil }
    self.prefixLength = prefixLength
    let mask = Self.mask(prefixLength)
    self.address = IPAddress(
      high: address.high & mask.high, low: address.low & mask.low, family: address.family)
  }

  static func mask(_ length: Int) -> (high: UInt64, low: UInt64) {
    let high: UInt64 = length == 0 ? 0 : length >= 64 ? .max : ~(.max >> UInt64(length))
    let low: UInt64 = length <= 64 ? 0 : length >= 128 ? .max : ~(.max >> UInt64(length - 64))
    return (high, low)
  }

  public func contains(_ candidate: IPAddress) -> Bool {
    guard candidate.family == address.family else { return false }
    let mask = Self.mask(prefixLength)
    return candidate.high & mask.high == address.high && candidate.low & mask.low == address.low
  }
}
