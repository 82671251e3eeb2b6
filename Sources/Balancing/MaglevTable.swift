import Primitives

/// Maglev's table: every host fills places of a table of prime size in an order of its own, in
/// rounds, in proportion to its weight; a request goes to place hash % size. Built on main.
///
/// Source: Envoy `maglev_lb.cc` (after Google's paper, listing 1); the table is Envoy's for the same
/// hosts.
public struct MaglevTable: Sendable {
  /// Envoy's default and largest `table_size`.
  public static let sizeDefault: UInt32 = 65537
  public static let sizeMax: UInt32 = 5_000_011

  /// Of each place its host's ``HashedHost/number``; empty without hosts.
  public private(set) var numbers: [UInt32] = []
  public private(set) var entriesPerHostMin: UInt32 = 0
  public private(set) var entriesPerHostMax: UInt32 = 0

  /// One host while the table is filled.
  private struct Filler {
    let number: UInt32
    let weight: Double
    let skip: UInt32
    /// The next place of its order.
    var place: UInt32
    /// Waits while round * weight is below this.
    var target = 0.0
    var count: UInt32 = 0
  }

  /// - Parameters:
  ///   - hosts: In any order; those without weight are left out.
  ///   - size: A prime number up to ``sizeMax``.
  /// - Returns: nil when `size` is not: to be refused at load.
  public init?(_ hosts: [HashedHost], size: UInt32 = MaglevTable.sizeDefault) {
    guard size <= Self.sizeMax, Self.isPrime(size) else { return nil }
    // Sorted by key, so that the order of the list does not move anybody.
    let hosts = hosts.filter { $0.weight > 0 }.sorted {
      $0.key == $1.key ? $0.number < $1.number : $0.key.lexicographicallyPrecedes($1.key)
    }
    guard let heaviest = hosts.map(\.weight).max() else { return }
    var fillers = hosts.map { host in
      let (first, second) = Self.hashes(host.key)
      return Filler(
        number: host.number, weight: host.weight,
        skip: UInt32(second % UInt64(size - 1)) + 1, place: UInt32(first % UInt64(size)))
    }
    numbers = [UInt32](repeating: .max, count: Int(size))
    var isTaken = [Bool](repeating: false, count: Int(size))
    var rounds = Rounds(hosts.map(\.weight))
    for _ in 0..<size {
      let index = rounds.first
      // The size is prime, so a host's order visits every place.
      while isTaken[Int(fillers[index].place)] { Self.advance(&fillers[index], size) }
      let place = Int(fillers[index].place)
      isTaken[place] = true
      numbers[place] = fillers[index].number
      fillers[index].count += 1
      fillers[index].target += heaviest
      Self.advance(&fillers[index], size)
      rounds.again(target: fillers[index].target)
    }
    entriesPerHostMin = fillers.reduce(size) { min($0, $1.count) }
    entriesPerHostMax = fillers.reduce(0) { max($0, $1.count) }
  }

  private static func advance(_ filler: inout Filler, _ size: UInt32) {
    // Both are below the size, far from 2^32.
    let next = filler.place + filler.skip
    filler.place = next >= size ? next - size : next
  }

  private static func hashes(_ key: [UInt8]) -> (UInt64, UInt64) {
    key.withUnsafeBufferPointer { bytes in
      let view = bytes.baseAddress.map { ByteView($0, bytes.count) } ?? .empty
      return (xxHash64(view), xxHash64(view, seed: 1))
    }
  }

  public static func isPrime(_ number: UInt32) -> Bool {
    guard number > 3 else { return number > 1 }
    guard number % 2 != 0 else { return false }
    var divisor: UInt32 = 3
    while divisor <= number / divisor {
      if number % divisor == 0 { return false }
      divisor += 2
    }
    return true
  }

  /// The smallest size of a table that is not below `size`: what a sentence may propose.
  public static func prime(atLeast size: UInt32) -> UInt32 {
    var number = max(2, min(size, sizeMax))
    while !isPrime(number) { number += 1 }
    return number
  }
}

/// Who fills a place next: hosts round by round, in order within a round; a host takes part in round
/// r when r * weight >= target. Walking all hosts in every round, as Envoy does, would cost size *
/// hosts when one host outweighs thousands, so a heap holds each host's next round.
private struct Rounds {
  private struct Turn {
    var round: UInt64
    let index: Int

    static func < (a: Turn, b: Turn) -> Bool {
      a.round != b.round ? a.round < b.round : a.index < b.index
    }
  }

  private let weights: [Double]
  private var heap: [Turn]

  /// All take part in round 1.
  init(_ weights: [Double]) {
    self.weights = weights
    heap = weights.indices.map { Turn(round: 1, index: $0) }
  }

  var first: Int { heap[0].index }

  /// The first one's next round, by its new target.
  mutating func again(target: Double) {
    let weight = weights[heap[0].index]
    let quotient = target / weight
    // The heaviest takes part in every round, so there are no more rounds than places.
    guard quotient < 0x1p32 else {
      heap[0].round = .max
      return sift()
    }
    let next = heap[0].round + 1
    var round = max(next, UInt64(quotient))
    // The quotient is rounded; what counts is the product, as in Envoy.
    while round > next, Double(round - 1) * weight >= target { round -= 1 }
    while Double(round) * weight < target { round += 1 }
    heap[0].round = round
    sift()
  }

  private mutating func sift() {
    let moved = heap[0]
    var hole = 0
    while true {
      var child = hole * 2 + 1
      guard child < heap.count else { break }
      if child + 1 < heap.count, heap[child + 1] < heap[child] { child += 1 }
      guard heap[child] < moved else { break }
      heap[hole] = heap[child]
      hole = child
    }
    heap[hole] = moved
  }
}
