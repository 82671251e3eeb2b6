import Balancing
import Primitives

/// Whether counts are what the weights say, with a chance of 10^-6 to be wrong about it: seeds are
/// fixed, so a failure is a bug.
func follows(_ counts: [Int], _ weights: [Double]) -> Bool {
  let total = Double(counts.reduce(0, +))
  let sum = weights.reduce(0, +)
  var distance = 0.0
  var freedom = -1.0
  for (count, weight) in zip(counts, weights) {
    guard weight > 0 else {
      if count > 0 { return false }
      continue
    }
    let expected = total * weight / sum
    distance += (Double(count) - expected) * (Double(count) - expected) / expected
    freedom += 1
  }
  guard freedom > 0 else { return true }
  // Wilson and Hilferty; 4.7534 is the normal quantile of 1 - 10^-6.
  let part = 2 / (9 * freedom)
  let root = 1 - part + 4.7534 * part.squareRoot()
  return distance <= freedom * root * root * root
}

extension FastRandom {
  mutating func chance(_ percent: UInt32) -> Bool { below(100) < percent }
}

/// FNV-1a of 64 bits, by which fixtures of whole tables are compared.
struct Fingerprint {
  private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

  mutating func add(_ number: some FixedWidthInteger) {
    withUnsafeBytes(of: number.littleEndian) { bytes in
      for byte in bytes { value = (value ^ UInt64(byte)) &* 0x100_0000_01b3 }
    }
  }
}

func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

func hash(_ text: String) -> UInt64 {
  Array(text.utf8).withUnsafeBufferPointer { buffer in
    xxHash64(buffer.baseAddress.map { ByteView($0, buffer.count) } ?? .empty)
  }
}

/// Members as a worker has them, with a schedule over them.
final class ScheduledMembers {
  private var words: UnsafeMutablePointer<UInt64>
  private var wordCount: Int
  var schedule: DeadlineSchedule
  var weights: [Double]

  init(_ members: [UInt32], weights: [Double], skipping skipped: UInt32 = 0) {
    (words, wordCount) = Self.words(members, weights.count)
    self.weights = weights
    schedule = DeadlineSchedule(MemberBits(words, wordCount: wordCount), skipping: skipped) {
      weights[Int($0)]
    }
  }

  convenience init(weights: [Double], skipping skipped: UInt32 = 0) {
    self.init((0..<UInt32(weights.count)).map { $0 }, weights: weights, skipping: skipped)
  }

  deinit { words.deallocate() }

  private static func words(
    _ members: [UInt32], _ indexCount: Int
  ) -> (UnsafeMutablePointer<UInt64>, Int) {
    let words = MemberBits.words(of: members, indexCount: indexCount)
    let memory = UnsafeMutablePointer<UInt64>.allocate(capacity: words.count)
    _ = UnsafeMutableBufferPointer(start: memory, count: words.count).initialize(from: words)
    return (memory, words.count)
  }

  func next() -> UInt32? {
    let weights = weights
    return schedule.next(MemberBits(words, wordCount: wordCount)) { weights[Int($0)] }
  }

  func counts(_ picks: Int) -> [Int] {
    var counts = [Int](repeating: 0, count: weights.count)
    for _ in 0..<picks {
      if let index = next() { counts[Int(index)] += 1 }
    }
    return counts
  }

  /// Other members, and with them more indices perhaps.
  func change(_ members: [UInt32], weights: [Double]? = nil) {
    self.weights = weights ?? self.weights
    words.deallocate()
    (words, wordCount) = Self.words(members, self.weights.count)
    let weights = self.weights
    schedule.repair(MemberBits(words, wordCount: wordCount)) { weights[Int($0)] }
  }
}
