import COpenSSL

/// Where the library takes its randomness from.
package enum TLSRandomness {
  /// Fills so many bytes and answers 1, on whatever thread needs them.
  package typealias Source = @convention(c) (_ to: UnsafeMutablePointer<UInt8>?, _ count: Int) -> Int32

  /// Replaces the source for the whole process, every library and every thread: equal sources make equal handshakes, which
  /// simulations need. nil brings the library's own back.
  package static func replace(with source: Source?) { copenssl_use_random(source) }

  /// Leaves real time out of tickets and hellos that the calling thread makes from now on, with contexts that it makes: all
  /// that equal sources do not make equal.
  package static func hideTime(_ hides: Bool) { copenssl_hide_time(hides ? 1 : 0) }
}
