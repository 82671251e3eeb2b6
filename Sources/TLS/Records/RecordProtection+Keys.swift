import COpenSSL
import Primitives

extension RecordProtection {
  /// Bytes of a record with an alert or a KeyUpdate, at most.
  public static let controlRecordBytesMax = expansionMax + 1 + 5

  /// Whether the key that seals has protected as many records as it should: TLS 1.3 sends a KeyUpdate
  /// (``sealKeyUpdate(asksForAnswer:to:)``), TLS 1.2 closes after the response.
  @inline(__always)
  public var isWorn: Bool {
    keys.write.sequence >= Self.recordsPerKeyMax && keys.suite != UInt8(COPENSSL_CHACHA20_POLY1305.rawValue)
  }

  /// Seals an alert.
  ///
  /// - Parameter to: Room for ``controlRecordBytesMax``.
  /// - Returns: Bytes written.
  public mutating func sealAlert(
    _ alert: TLSAlert, isFatal: Bool, to: UnsafeMutablePointer<UInt8>
  ) -> Int {
    var content = (UInt8(isFatal ? 2 : 1), alert.rawValue)
    return withUnsafeBytes(of: &content) {
      seal(
        ByteView($0.baseAddress!.assumingMemoryBound(to: UInt8.self), 2), type: RecordHeader.alert,
        to: to)
    }
  }

  /// Seals a KeyUpdate (RFC 8446, section 4.6.3); what is sealed afterwards has new keys. TLS 1.3 only.
  ///
  /// - Parameter asksForAnswer: Whether the peer is to change its keys too. False in an answer.
  /// - Parameter to: Room for ``controlRecordBytesMax``.
  /// - Returns: Bytes written.
  public mutating func sealKeyUpdate(asksForAnswer: Bool, to: UnsafeMutablePointer<UInt8>) -> Int {
    precondition(isTLS13)
    var content: (UInt8, UInt8, UInt8, UInt8, UInt8) = (24, 0, 0, 1, asksForAnswer ? 1 : 0)
    let count = withUnsafeBytes(of: &content) {
      seal(
        ByteView($0.baseAddress!.assumingMemoryBound(to: UInt8.self), 5),
        type: RecordHeader.handshake, to: to)
    }
    nextKeys(isRead: false)
    return count
  }

  /// The peer sent a KeyUpdate: its next record is opened with new keys.
  mutating func updateReadKeys() { nextKeys(isRead: true) }

  private mutating func nextKeys(isRead: Bool) {
    if copenssl_next_secret(library, &keys, isRead ? 1 : 0) != 1 { breakProtection() }
  }
}

#if DEBUG
  extension RecordProtection {
    /// For simulations: the next record will have the nonce of the last one.
    ///
    /// - Returns: False when there was no record yet.
    package mutating func repeatNonce() -> Bool {
      guard keys.write.sequence > 1 else { return false }
      // In TLS 1.2 with AES-GCM the peer takes the nonce from the record, and cannot tell.
      if explicitNonceCount > 0 { keys.write.nonce &-= 1 } else { keys.write.sequence -= 1 }
      return true
    }
  }
#endif

extension RecordProtection {
  /// For tests: as if so many records had been opened and sealed.
  mutating func forgeSequences(read: UInt64, write: UInt64) {
    keys.read.sequence = read
    keys.write.sequence = write
  }
}
