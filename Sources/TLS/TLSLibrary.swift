import COpenSSL

/// A worker's share of OpenSSL: a library context of its own (about 212 KB, a millisecond to make), so that workers meet
/// in none of its locks.
///
/// Made, used and released by one thread; what is made of it (contexts, handshakes, record protections, tickets) must be
/// gone before. This module knows no socket, no clock and no configuration: bytes and times come in, bytes go out.
public final class TLSLibrary {
  let pointer: OpaquePointer

  /// - Throws: ``TLSSetupError`` when memory is short or the installed library lacks an algorithm.
  public init() throws(TLSSetupError) {
    guard let pointer = copenssl_library_new() else {
      throw TLSSetupError("the TLS library cannot be started")
    }
    self.pointer = pointer
  }

  deinit { copenssl_library_free(pointer) }

  /// Handshakes that were made and not freed.
  package var handshakeCount: Int { copenssl_library_handshakes(pointer) }
}

/// Why something of TLS could not be set up, as a sentence for people.
public struct TLSSetupError: Error, Equatable, CustomStringConvertible {
  public let description: String

  public init(_ description: String) { self.description = description }
}
