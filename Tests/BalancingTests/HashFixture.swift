import Balancing
import Testing

/// What Envoy 1.40 built of the same hosts and chose for the same keys: its trace log names every
/// entry of a ring and every place of a table, its origins said who they were. Host i is
/// 127.0.2.(i + 1):17901; key k of 40 is the header value "user-k".
struct HashFixture: Sendable, CustomTestStringConvertible {
  enum Kind: Sendable, Equatable {
    case ring(minimum: UInt64, maximum: UInt64, RingHashFunction)
    case maglev(size: UInt32)
  }

  let testDescription: String
  let kind: Kind
  var hostCount = 0
  /// Hosts of one locality each, with its weight; empty: no weighted localities.
  var localities: [(weight: UInt32, hosts: Range<Int>)] = []
  var isWeighted: @Sendable (Int) -> Bool = { _ in false }
  /// Of `hash_key`.
  var key: (@Sendable (Int) -> String)?
  let size: Int
  let entriesMin: UInt64
  let entriesMax: UInt64
  /// FNV-1a of every entry: of a ring the hash (8 bytes) and the host (2), of a table the host (2).
  let fingerprint: UInt64
  let picks: [UInt32]

  static func weight(_ host: Int) -> UInt32 { UInt32(1 + host * 7 % 13) }

  var hosts: [HashedHost] {
    func weights(_ hosts: Range<Int>) -> [UInt32] {
      hosts.map { isWeighted($0) ? Self.weight($0) : 1 }
    }
    let normalized =
      localities.isEmpty
      ? NormalizedWeights.hosts(weights(0..<hostCount))
      : NormalizedWeights.localities(localities.map { ($0.weight, weights($0.hosts)) })
        .flatMap { $0 }
    return normalized.enumerated().map { host, weight in
      HashedHost(
        number: UInt32(host), key: bytes(key?(host) ?? "127.0.2.\(host + 1):17901"),
        weight: weight)
    }
  }

  static let all = [
    HashFixture(
      testDescription: "ring of 3", kind: .ring(minimum: 1024, maximum: 8_388_608, .xxHash),
      hostCount: 3, size: 1026, entriesMin: 342, entriesMax: 342,
      fingerprint: 0xf156_dc8a_1f73_3910,
      picks: [
        2, 2, 1, 1, 1, 1, 0, 1, 1, 2, 1, 1, 1, 2, 2, 1, 1, 0, 2, 1, 1, 0, 0, 1, 0, 1, 1,
        2, 2, 0, 1, 1, 2, 1, 0, 0, 2, 1, 1, 2,
      ]),
    HashFixture(
      testDescription: "ring of 10 by murmur",
      kind: .ring(minimum: 64, maximum: 8_388_608, .murmurHash2),
      hostCount: 10, size: 70, entriesMin: 7, entriesMax: 7,
      fingerprint: 0x431d_f9e1_21cc_0547,
      picks: [
        3, 3, 6, 4, 8, 9, 8, 6, 2, 2, 3, 1, 9, 9, 1, 9, 9, 2, 2, 9, 1, 4, 9, 6, 8, 3, 6,
        1, 4, 5, 4, 5, 7, 0, 5, 9, 9, 4, 9, 3,
      ]),
    HashFixture(
      testDescription: "ring of 10 weighted",
      kind: .ring(minimum: 100, maximum: 8_388_608, .xxHash),
      hostCount: 10, isWeighted: { _ in true }, size: 130, entriesMin: 2, entriesMax: 24,
      fingerprint: 0x81ec_b702_1a2b_ffc8,
      picks: [
        6, 7, 9, 6, 4, 9, 8, 5, 8, 7, 7, 1, 7, 3, 6, 7, 9, 1, 1, 1, 6, 3, 9, 9, 4, 1, 5,
        3, 6, 0, 3, 9, 8, 3, 7, 9, 7, 3, 1, 3,
      ]),
    HashFixture(
      testDescription: "ring of 100 weighted, near its maximum",
      kind: .ring(minimum: 512, maximum: 700, .xxHash),
      hostCount: 100, isWeighted: { _ in true }, size: 690, entriesMin: 1, entriesMax: 13,
      fingerprint: 0x7462_3acc_1b68_5152,
      picks: [
        81, 74, 89, 74, 29, 35, 63, 37, 62, 20, 42, 42, 80, 97, 31, 80, 35, 48, 92, 1,
        20, 70, 53, 49, 29, 18, 58, 76, 87, 0, 96, 46, 8, 58, 7, 70, 87, 96, 94, 81,
      ]),
    HashFixture(
      testDescription: "ring of 10 by hash_key",
      kind: .ring(minimum: 50, maximum: 8_388_608, .xxHash),
      hostCount: 10, key: { "key-\($0)" }, size: 50, entriesMin: 5, entriesMax: 5,
      fingerprint: 0x1b81_f060_59f9_c6d7,
      picks: [
        3, 4, 8, 5, 8, 0, 4, 3, 9, 9, 4, 1, 8, 2, 1, 8, 0, 1, 1, 9, 2, 2, 8, 0, 8, 6, 3,
        2, 2, 3, 6, 3, 2, 3, 9, 3, 8, 6, 1, 3,
      ]),
    HashFixture(
      testDescription: "ring of weighted localities, one without a weight",
      kind: .ring(minimum: 128, maximum: 8_388_608, .xxHash),
      localities: [(1, 0..<3), (3, 3..<7), (0, 7..<10)], isWeighted: { $0 < 3 }, size: 132,
      entriesMin: 3, entriesMax: 25, fingerprint: 0x198f_56cb_38d4_07e7,
      picks: [
        6, 4, 4, 6, 4, 4, 5, 5, 1, 4, 4, 1, 4, 3, 6, 4, 4, 3, 4, 1, 6, 3, 3, 4, 4, 1, 5,
        3, 6, 0, 5, 2, 4, 4, 4, 6, 4, 5, 1, 3,
      ]),
    HashFixture(
      testDescription: "maglev of 3", kind: .maglev(size: 251), hostCount: 3, size: 251,
      entriesMin: 83, entriesMax: 84, fingerprint: 0x76be_b356_2023_a54f,
      picks: [
        1, 1, 2, 1, 1, 2, 1, 1, 0, 0, 0, 2, 2, 1, 0, 2, 2, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1,
        0, 1, 0, 0, 2, 2, 2, 0, 0, 0, 0, 2, 1,
      ]),
    HashFixture(
      testDescription: "maglev of 10 weighted", kind: .maglev(size: 1009), hostCount: 10,
      isWeighted: { _ in true }, size: 1009, entriesMin: 16, entriesMax: 186,
      fingerprint: 0x8033_bf0c_4adc_da24,
      picks: [
        9, 4, 8, 3, 3, 8, 4, 1, 7, 4, 3, 7, 7, 5, 1, 9, 1, 7, 5, 9, 6, 9, 7, 7, 5, 9, 1,
        2, 7, 1, 5, 5, 1, 8, 5, 3, 5, 1, 3, 1,
      ]),
    HashFixture(
      testDescription: "maglev of 100 weighted", kind: .maglev(size: 1009), hostCount: 100,
      isWeighted: { _ in true }, size: 1009, entriesMin: 2, entriesMax: 19,
      fingerprint: 0x4582_9d77_88c4_e8a7,
      picks: [
        11, 40, 30, 11, 87, 36, 66, 16, 7, 82, 77, 37, 42, 95, 50, 34, 59, 49, 40, 61,
        22, 21, 92, 40, 60, 85, 20, 33, 53, 18, 24, 39, 87, 94, 61, 79, 24, 1, 75, 24,
      ]),
    HashFixture(
      testDescription: "maglev of 10 by hash_key, against the order of the list",
      kind: .maglev(size: 251), hostCount: 10, key: { "key-\(9 - $0)" }, size: 251,
      entriesMin: 25, entriesMax: 26, fingerprint: 0xd2fb_9357_2b42_eba5,
      picks: [
        8, 1, 1, 5, 6, 5, 0, 4, 5, 5, 6, 9, 9, 6, 1, 3, 9, 8, 6, 4, 1, 5, 5, 3, 9, 4, 4,
        2, 6, 3, 8, 5, 9, 1, 3, 1, 1, 7, 5, 8,
      ]),
    HashFixture(
      testDescription: "maglev of weighted localities", kind: .maglev(size: 503),
      localities: [(1, 0..<3), (3, 3..<7)], isWeighted: { $0 < 3 }, size: 503, entriesMin: 12,
      entriesMax: 94, fingerprint: 0xf05a_9f98_d2d2_97af,
      picks: [
        3, 3, 4, 6, 3, 3, 3, 1, 1, 4, 5, 1, 4, 4, 6, 5, 6, 1, 4, 1, 6, 0, 4, 4, 1, 6, 3,
        3, 2, 4, 3, 5, 6, 5, 3, 6, 3, 1, 3, 1,
      ]),
    HashFixture(
      testDescription: "maglev of 100, default size", kind: .maglev(size: 65537),
      hostCount: 100, size: 65537, entriesMin: 655, entriesMax: 656,
      fingerprint: 0xfe63_0bd9_70ba_1b84,
      picks: [
        4, 91, 53, 2, 82, 54, 6, 68, 85, 33, 32, 83, 33, 54, 78, 94, 72, 25, 56, 7, 98,
        18, 69, 86, 4, 65, 95, 98, 93, 56, 24, 30, 49, 11, 12, 64, 73, 54, 61, 15,
      ]),
  ]
}
