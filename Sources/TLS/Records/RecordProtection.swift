import COpenSSL
import Primitives

/// Protects the records of an established connection, both ways, without the library's connection object.
///
/// A value without reference counts; whoever holds it last calls ``free()``. Plaintext and ciphertext may lie in runs cut at
/// any byte; opening works in place. Nothing here allocates but a change of keys, which is rare.
///
/// Opening: ``header(_:)``, ``beginOpen(_:explicitNonce:)``, ``openRun(_:_:)`` for each run of content, ``endOpen(tag:)``;
/// only then the plaintext may be believed. In TLS 1.3 its end carries the type (``InnerContent``). Then ``RecordReader``
/// says what the record means.
/// Sealing: ``beginSeal(plaintextCount:type:to:)``, ``sealRun(_:to:)`` for each run, ``endSeal(to:)``.
public struct RecordProtection: BitwiseCopyable {
  /// Bytes of authentication behind the content of a record.
  public static let tagCount = 16
  /// The most that ``sealedCount(_:)`` adds to a plaintext.
  public static let expansionMax = RecordHeader.count + 8 + tagCount
  /// Records that one key of AES-GCM protects (RFC 8446, section 5.5).
  public static let recordsPerKeyMax: UInt64 = 1 << 24

  var keys: copenssl_keys
  let library: OpaquePointer
  public let isTLS13: Bool
  /// Bytes in front of a record's content that are a part of its nonce: 8 in TLS 1.2 with AES-GCM.
  public let explicitNonceCount: Int
  /// Whether the library refused to work: nothing can be sent or believed any more. Not something that a peer can cause.
  public private(set) var isBroken = false
  /// The type of the record that is being sealed.
  private var innerType: UInt8 = 0

  init(_ keys: copenssl_keys, library: OpaquePointer) {
    self.keys = keys
    self.library = library
    isTLS13 = keys.is_tls13 != 0
    explicitNonceCount =
      isTLS13 || keys.suite == UInt8(COPENSSL_CHACHA20_POLY1305.rawValue) ? 0 : 8
  }

  /// Cleanses and frees the keys. No copy may be used afterwards.
  public mutating func free() {
    copenssl_keys_free(&keys)
  }

  // MARK: Opening

  /// Reads the header of the next record; at least five bytes.
  @inline(__always)
  public func header(_ five: ByteView) throws(TLSAlert) -> RecordHeader {
    let header = try RecordHeader.parse(five, isTLS13: isTLS13)
    // Shorter than what protection adds: no key opens it.
    guard header.bodyCount >= explicitNonceCount &+ Self.tagCount else { throw .badRecordMAC }
    return header
  }

  /// Bytes of content of a record: what is to be opened between explicit nonce and tag.
  @inline(__always)
  public func contentCount(_ header: RecordHeader) -> Int {
    header.bodyCount &- explicitNonceCount &- Self.tagCount
  }

  /// Begins to open a record whose ``header(_:)`` was accepted.
  ///
  /// - Parameter explicitNonce: The ``explicitNonceCount`` bytes behind the header; not read when there are none.
  public mutating func beginOpen(_ header: RecordHeader, explicitNonce: ByteView) {
    let explicitNonceCount = explicitNonceCount
    let isTLS13 = isTLS13
    let contentCount = contentCount(header)
    let began = withUnsafeMutablePointer(to: &keys.read) { read in
      let sequence = read.pointee.sequence
      // No peer sends 2^64 records.
      read.pointee.sequence = sequence &+ 1
      return withUnsafeTemporaryAllocation(byteCount: RecordAdditionalData.count, alignment: 8) { room in
        let additional = room.baseAddress!.assumingMemoryBound(to: UInt8.self)
        let count: Int
        if isTLS13 {
          // The header as it was sent; its version is fixed (RFC 8446, section 5.2).
          Self.writeHeader(type: header.type, bodyCount: header.bodyCount, to: additional)
          count = RecordHeader.count
        } else {
          RecordAdditionalData.write(
            sequence: sequence, type: header.type, plaintextCount: contentCount, to: additional)
          count = RecordAdditionalData.count
        }
        let iv = copenssl_direction_iv(read)!
        var nonce =
          explicitNonceCount == 0
          ? RecordNonce(iv: iv, sequence: sequence)
          : RecordNonce(salt: iv, explicit: explicitNonce.base)
        return Self.begin(read, &nonce, additional, count)
      }
    }
    if !began { isBroken = true }
  }

  /// Decrypts the next run of content in place.
  @inline(__always)
  public mutating func openRun(_ run: UnsafeMutablePointer<UInt8>, _ count: Int) {
    if copenssl_aead_update(keys.read.aead, run, run, count) != 1 { isBroken = true }
  }

  /// Whether the record is authentic. When not, its content must not be used and the connection fails with
  /// ``TLSAlert/badRecordMAC``.
  ///
  /// - Parameter tag: The last ``tagCount`` bytes of the record.
  @inline(__always)
  public mutating func endOpen(tag: ByteView) -> Bool {
    copenssl_aead_open_end(keys.read.aead, tag.base) == 1 && !isBroken
  }

  // MARK: Sealing

  /// Bytes of the record that carries `plaintextCount` bytes: 22 more in TLS 1.3, 29 or 21 in TLS 1.2.
  @inline(__always)
  public func sealedCount(_ plaintextCount: Int) -> Int {
    RecordHeader.count &+ explicitNonceCount &+ plaintextCount &+ (isTLS13 ? 1 : 0) &+ Self.tagCount
  }

  /// Begins a record of `plaintextCount` (at most 16,384) bytes.
  ///
  /// - Returns: Bytes written to `to`; the content's runs follow them.
  public mutating func beginSeal(
    plaintextCount: Int, type: UInt8, to: UnsafeMutablePointer<UInt8>
  ) -> Int {
    precondition(plaintextCount >= 0 && plaintextCount <= RecordHeader.plaintextBytesMax)
    let explicitNonceCount = explicitNonceCount
    let isTLS13 = isTLS13
    let bodyCount = sealedCount(plaintextCount) &- RecordHeader.count
    innerType = type
    Self.writeHeader(
      type: isTLS13 ? RecordHeader.applicationData : type, bodyCount: bodyCount, to: to)
    let began = withUnsafeMutablePointer(to: &keys.write) { write in
      let sequence = write.pointee.sequence
      write.pointee.sequence = sequence &+ 1
      let iv = copenssl_direction_iv(write)!
      if isTLS13 {
        var nonce = RecordNonce(iv: iv, sequence: sequence)
        return Self.begin(write, &nonce, to, RecordHeader.count)
      }
      return withUnsafeTemporaryAllocation(byteCount: RecordAdditionalData.count, alignment: 8) { room in
        let additional = room.baseAddress!.assumingMemoryBound(to: UInt8.self)
        RecordAdditionalData.write(
          sequence: sequence, type: type, plaintextCount: plaintextCount, to: additional)
        guard explicitNonceCount != 0 else {
          var nonce = RecordNonce(iv: iv, sequence: sequence)
          return Self.begin(write, &nonce, additional, RecordAdditionalData.count)
        }
        // Continues from the nonce of the Finished message, so none is used twice with this key.
        let explicit = to + RecordHeader.count
        UnsafeMutableRawPointer(explicit).storeBytes(of: write.pointee.nonce.bigEndian, as: UInt64.self)
        write.pointee.nonce &+= 1
        var nonce = RecordNonce(salt: iv, explicit: explicit)
        return Self.begin(write, &nonce, additional, RecordAdditionalData.count)
      }
    }
    if !began { isBroken = true }
    return RecordHeader.count &+ explicitNonceCount
  }

  /// Encrypts the next run of content to `to`, which may be the run itself.
  @inline(__always)
  public mutating func sealRun(_ run: ByteView, to: UnsafeMutablePointer<UInt8>) {
    if copenssl_aead_update(keys.write.aead, run.base, to, run.count) != 1 { isBroken = true }
  }

  /// Ends the record behind its content: the hidden type (TLS 1.3) and the tag.
  ///
  /// - Returns: Bytes written to `to`: 17 or 16. When the protection ``isBroken`` the record must not be sent.
  @inline(__always)
  public mutating func endSeal(to: UnsafeMutablePointer<UInt8>) -> Int {
    var at = to
    if isTLS13 {
      at[0] = innerType
      if copenssl_aead_update(keys.write.aead, at, at, 1) != 1 { isBroken = true }
      at += 1
    }
    if copenssl_aead_seal_end(keys.write.aead, at) != 1 { isBroken = true }
    return at - to &+ Self.tagCount
  }

  /// A record of one run.
  ///
  /// - Parameter to: Room for ``sealedCount(_:)`` bytes.
  /// - Returns: That count.
  public mutating func seal(_ content: ByteView, type: UInt8, to: UnsafeMutablePointer<UInt8>) -> Int {
    let start = beginSeal(plaintextCount: content.count, type: type, to: to)
    sealRun(content, to: to + start)
    return start &+ content.count &+ endSeal(to: to + (start &+ content.count))
  }

  mutating func breakProtection() { isBroken = true }

  // MARK: Leaves

  @inline(__always)
  private static func begin(
    _ direction: UnsafeMutablePointer<copenssl_direction>, _ nonce: inout RecordNonce,
    _ additional: UnsafePointer<UInt8>, _ count: Int
  ) -> Bool {
    withUnsafeBytes(of: &nonce) { nonce in
      copenssl_aead_begin(
        direction.pointee.aead, nonce.baseAddress!.assumingMemoryBound(to: UInt8.self), additional,
        count) == 1
    }
  }

  @inline(__always)
  private static func writeHeader(type: UInt8, bodyCount: Int, to: UnsafeMutablePointer<UInt8>) {
    to[0] = type
    to[1] = 3
    to[2] = 3
    to[3] = UInt8(truncatingIfNeeded: bodyCount >> 8)
    to[4] = UInt8(truncatingIfNeeded: bodyCount)
  }
}
