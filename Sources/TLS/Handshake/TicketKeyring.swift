import COpenSSL
import Primitives

/// A key that tickets are encrypted with: 16 bytes of name, 32 for HMAC-SHA256, 32 for AES-256, as in Envoy's files.
public struct TicketKey: Equatable, Sendable {
  public static let count = 80
  let bytes: SecretBytes

  /// nil when there are not exactly ``count`` bytes.
  public init?(_ bytes: some Collection<UInt8>) {
    guard bytes.count == Self.count else { return nil }
    self.bytes = SecretBytes(bytes)
  }

  /// - Throws: ``TLSSetupError`` when the system has no randomness.
  public static func random() throws(TLSSetupError) -> TicketKey {
    var bytes = [UInt8](repeating: 0, count: count)
    let filled = bytes.withUnsafeMutableBufferPointer { copenssl_random($0.baseAddress, $0.count) }
    guard filled == 1, let key = TicketKey(bytes) else { throw TLSSetupError("there is no randomness") }
    bytes.withUnsafeMutableBufferPointer { copenssl_cleanse($0.baseAddress, $0.count) }
    return key
  }
}

/// The keys of tickets that all workers share: one pointer to a set that does not change.
///
/// One thread publishes; workers read the pointer at each ticket, without a lock. A set that was replaced is kept for
/// ten minutes, longer than any reader holds it.
public final class TicketKeyring: @unchecked Sendable {
  // Sendable: the ring's pointer is atomic; the rest is the publishing thread's.
  public static let keysMax = Int(COPENSSL_TICKET_KEYS_MAX)
  /// Seconds that a replaced set stays in memory.
  public static let graceSeconds: Int64 = 600
  /// Sets that ``turn(now:)`` keeps: tickets made in the last turns are still read.
  private static let generations = 3

  let ring: OpaquePointer
  private var current: UnsafeMutablePointer<copenssl_ticket_keys>?
  private var retired: [(keys: UnsafeMutablePointer<copenssl_ticket_keys>, at: Int64)] = []
  private var turning: [TicketKey] = []

  /// A ring without keys: no ticket is given and none is read.
  public init() throws(TLSSetupError) {
    guard let ring = copenssl_keyring_new() else { throw TLSSetupError("memory is short") }
    self.ring = ring
  }

  deinit {
    if let current { Self.free(current) }
    for set in retired { Self.free(set.keys) }
    copenssl_keyring_free(ring)
  }

  /// Puts keys in force: the first encrypts, all decrypt. At most ``keysMax``.
  ///
  /// - Parameter now: Seconds of any clock that does not go back.
  public func publish(_ keys: [TicketKey], now: Int64) {
    precondition(keys.count <= Self.keysMax)
    let set = UnsafeMutablePointer<copenssl_ticket_keys>.allocate(capacity: 1)
    set.initialize(to: copenssl_ticket_keys())
    set.pointee.count = UInt32(keys.count)
    withUnsafeMutableBytes(of: &set.pointee.keys) { room in
      for (i, key) in keys.enumerated() {
        key.bytes.withView { room.baseAddress!.advanced(by: i * TicketKey.count).copyMemory(from: $0.base, byteCount: $0.count) }
      }
    }
    if let old = copenssl_keyring_exchange(ring, set) { retired.append((old, now)) }
    current = set
    freeRetired(now: now)
  }

  /// Makes a new first key and keeps the two before it; call it once an hour.
  public func turn(now: Int64) throws(TLSSetupError) {
    turning.insert(try .random(), at: 0)
    if turning.count > Self.generations { turning.removeLast() }
    publish(turning, now: now)
  }

  /// Sets that are kept for late readers, for tests.
  var retiredCount: Int { retired.count }

  private func freeRetired(now: Int64) {
    retired.removeAll { set in
      guard now - set.at >= Self.graceSeconds else { return false }
      Self.free(set.keys)
      return true
    }
  }

  private static func free(_ keys: UnsafeMutablePointer<copenssl_ticket_keys>) {
    copenssl_cleanse(keys, MemoryLayout<copenssl_ticket_keys>.size)
    keys.deallocate()
  }
}
