import Primitives

public enum RingHashFunction: Sendable, Equatable {
  /// `XX_HASH`
  case xxHash
  /// `MURMUR_HASH_2`
  case murmurHash2
}

/// A ring of hashes (ketama): each host has entries in proportion to its weight, a request goes to
/// the first entry at or after its hash. Built on main.
///
/// Source: Envoy `ring_hash_lb.cc`; entries and their order are Envoy's for the same hosts.
public struct HashRing: Sendable {
  /// Entries at most, whatever `maximum` says: Envoy's limit of `maximum_ring_size`.
  public static let sizeMax: UInt64 = 8_388_608

  /// Ascending.
  public private(set) var hashes: [UInt64] = []
  /// Of each hash, its host's ``HashedHost/number``.
  public private(set) var numbers: [UInt32] = []
  /// What `ring_hash_lb.size` shows: entries as computed; rounding may add one.
  public private(set) var size: UInt64 = 0
  public private(set) var entriesPerHostMin: UInt64 = 0
  public private(set) var entriesPerHostMax: UInt64 = 0

  /// - Parameters:
  ///   - hosts: In the order of the list; those without weight are left out. None: an empty ring.
  ///   - minimum: `minimum_ring_size`
  ///   - maximum: `maximum_ring_size`, which wins.
  public init(
    _ hosts: [HashedHost], minimum: UInt64 = 1024, maximum: UInt64 = HashRing.sizeMax,
    function: RingHashFunction = .xxHash
  ) {
    let hosts = hosts.filter { $0.weight > 0 }
    guard let lightest = hosts.map(\.weight).min() else { return }
    // As many entries as give the lightest host a whole number of them, if they fit.
    let scale = min(
      (lightest * Double(max(1, min(minimum, Self.sizeMax)))).rounded(.up) / lightest,
      Double(max(1, min(maximum, Self.sizeMax))))
    size = UInt64(scale.rounded(.up))
    entriesPerHostMin = size

    var entries: [(hash: UInt64, number: UInt32)] = []
    entries.reserveCapacity(Int(size) + 1)
    // Running sums, so that parts of an entry are not lost host by host.
    var current = 0.0
    var target = 0.0
    for host in hosts {
      target += scale * host.weight
      var text = host.key + [UInt8(ascii: "_")]
      let keyLength = text.count
      var own: UInt64 = 0
      while current < target {
        text.removeSubrange(keyLength...)
        Self.append(own, to: &text)
        entries.append((Self.hash(text, function), host.number))
        own += 1
        current += 1
      }
      entriesPerHostMin = min(entriesPerHostMin, own)
      entriesPerHostMax = max(entriesPerHostMax, own)
    }
    entries.sort { $0.hash != $1.hash ? $0.hash < $1.hash : $0.number < $1.number }
    hashes = entries.map(\.hash)
    numbers = entries.map(\.number)
  }

  private static func append(_ number: UInt64, to text: inout [UInt8]) {
    let start = text.count
    var left = number
    repeat {
      text.append(UInt8(ascii: "0") + UInt8(left % 10))
      left /= 10
    } while left > 0
    text[start...].reverse()
  }

  private static func hash(_ text: [UInt8], _ function: RingHashFunction) -> UInt64 {
    text.withUnsafeBufferPointer { bytes in
      guard let base = bytes.baseAddress else { return 0 }
      let view = ByteView(base, bytes.count)
      return switch function {
      case .xxHash: xxHash64(view)
      case .murmurHash2: murmurHash64A(view)
      }
    }
  }

  /// The place of the first hash at or above `hash`; after the last one comes the first.
  @inlinable
  static func find(_ hash: UInt64, _ hashes: UnsafePointer<UInt64>, _ count: UInt32) -> UInt32 {
    // All before `first` are below, `first + length` and later ones are not.
    var first: UInt32 = 0
    var length = count
    while length > 0 {
      let half = length / 2
      if hashes[Int(first &+ half)] < hash {
        first = first &+ half &+ 1
        length = length &- half &- 1
      } else {
        length = half
      }
    }
    return first == count ? 0 : first
  }
}
