import Primitives

/// What a host's metadata says of it (`envoy.lb`), as far as repeats ask.
public struct HostLabels: Sendable {
  /// `canary: true`
  public let isCanary: Bool
  /// A digest for each key with its value; an element of a list is a value too.
  let pairs: FrozenList<UInt64>

  public static let none = HostLabels(isCanary: false, pairs: [])

  public init(isCanary: Bool, pairs: [UInt64]) {
    self.isCanary = isCanary
    self.pairs = FrozenList(pairs)
  }

  public static func digest(_ key: String, _ value: String) -> UInt64 {
    var text = "\(key)\u{0}\(value)"
    return text.withUTF8 { bytes in
      bytes.baseAddress.map { xxHash64(ByteView($0, bytes.count)) } ?? 0
    }
  }

  /// Whether it has all of these.
  func hasAll(_ wanted: FrozenList<UInt64>) -> Bool {
    for pair in wanted.buffer {
      var found = false
      for own in pairs.buffer where own == pair { found = true }
      if !found { return false }
    }
    return true
  }
}

extension HostLabels: Equatable {
  public static func == (one: HostLabels, other: HostLabels) -> Bool {
    one.isCanary == other.isCanary && one.pairs.buffer.elementsEqual(other.pairs.buffer)
  }
}
