import CTLSHarness
import TLS

/// Randomness of OpenSSL by thread: what a thread with a seed does can be repeated byte for byte, the others do not notice.
package enum SeededRandomness {
  private static let installed: Void = TLSRandomness.replace(with: ctlsharness_random)

  /// The calling thread draws from this seed, and its tickets contain no real time, until ``end()``.
  package static func begin(seed: UInt64) {
    _ = installed
    ctlsharness_seed(seed)
    TLSRandomness.hideTime(true)
  }

  package static func end() {
    ctlsharness_unseed()
    TLSRandomness.hideTime(false)
  }
}
