/// What TLS peers may make a worker spend.
enum TLSLimits {
  static let clientHelloBytesMax = 16 << 10
  /// Steps of handshakes in one turn of the loop, and the time after which no further one begins: a storm of new
  /// connections delays traffic by about that.
  static let stepsPerTurnMax = 8
  static let nanosecondsPerTurnMax: UInt64 = 1_000_000
  /// Handshakes under way (76 KB each); one more ends the one that has waited longest for its peer.
  static let handshakesMax = 2048
  /// Ciphertext that may wait to be sent beside the plaintext that waits to be sealed.
  static let sealedBytesMax = 128 << 10
  static let failureTextMax = 512
  /// A certificate or chain in `x-forwarded-client-cert`; longer ones are left out.
  static let forwardedPEMBytesMax = 40 << 10
}
