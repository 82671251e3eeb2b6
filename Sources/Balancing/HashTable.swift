/// A ring or a Maglev table as workers read it; the memory is ``HashTableStorage``'s.
@frozen
public struct HashTable: @unchecked Sendable {
  // Sendable: written once, before another thread can see it.
  /// Of a ring, ascending; nil of a Maglev table.
  public let hashes: UnsafePointer<UInt64>?
  /// Numbers of hosts, `count` of them.
  public let numbers: UnsafePointer<UInt32>
  /// At least 1.
  public let count: UInt32

  @inlinable
  init(hashes: UnsafePointer<UInt64>?, numbers: UnsafePointer<UInt32>, count: UInt32) {
    self.hashes = hashes
    self.numbers = numbers
    self.count = count
  }

  /// The number of the host that a hash belongs to.
  ///
  /// - Parameter attempt: 0, then 1... when the caller wants another one, which may be the same
  ///   again.
  /// - Complexity: O(log count) of a ring, O(1) of a table; no allocation.
  @inlinable
  public func pick(_ hash: UInt64, attempt: UInt32 = 0) -> UInt32 {
    if let hashes {
      let place = HashRing.find(hash, hashes, count)
      if attempt == 0 { return numbers[Int(place)] }
      return numbers[Int((UInt64(place) &+ UInt64(attempt)) % UInt64(count))]
    }
    // 2^64 - attempt: most bits change, so attempts of one hash spread.
    let mixed = hash ^ (0 &- UInt64(attempt))
    return numbers[Int(truncatingIfNeeded: mixed % UInt64(count))]
  }
}

/// Owns the memory of one ``HashTable``: made on main, shared by the host sets whose list it serves.
public final class HashTableStorage: @unchecked Sendable {
  // Sendable: written once in init, before another thread can see it.
  /// Lives as long as this object.
  public let table: UnsafePointer<HashTable>
  private let hashes: UnsafeMutablePointer<UInt64>?
  private let numbers: UnsafeMutablePointer<UInt32>

  /// - Returns: nil when nobody is on the ring.
  public convenience init?(_ ring: HashRing) {
    self.init(hashes: ring.hashes, numbers: ring.numbers)
  }

  /// - Returns: nil when nobody is in the table.
  public convenience init?(_ table: MaglevTable) {
    self.init(hashes: nil, numbers: table.numbers)
  }

  private init?(hashes values: [UInt64]?, numbers hosts: [UInt32]) {
    guard !hosts.isEmpty, let count = UInt32(exactly: hosts.count) else { return nil }
    hashes = values.map {
      let memory = UnsafeMutablePointer<UInt64>.allocate(capacity: $0.count)
      _ = UnsafeMutableBufferPointer(start: memory, count: $0.count).initialize(from: $0)
      return memory
    }
    numbers = .allocate(capacity: hosts.count)
    _ = UnsafeMutableBufferPointer(start: numbers, count: hosts.count).initialize(from: hosts)
    let view = UnsafeMutablePointer<HashTable>.allocate(capacity: 1)
    view.initialize(
      to: HashTable(hashes: hashes.map { UnsafePointer($0) }, numbers: numbers, count: count))
    table = UnsafePointer(view)
  }

  deinit {
    table.deallocate()
    numbers.deallocate()
    hashes?.deallocate()
  }
}
