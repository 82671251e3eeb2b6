import Primitives

/// Why a connection to a host could not be made, for records and details.
struct TransportFailure {
  /// Empty when nothing more is known, as after a timeout. Valid during the call that hands it on: who
  /// keeps it copies it.
  let view: ByteView
  let isTimeout: Bool
  /// Of the call that failed; 0 = none did.
  var errno: Int32 = 0
  /// Nanoseconds since the connection was begun.
  var spent: UInt64 = 0
  /// The host was reached: TLS with it has failed.
  var isHandshake = false

  /// The host did not answer in time.
  static var timeout: TransportFailure { TransportFailure(view: .empty, isTimeout: true) }

  /// A call failed.
  static func system(_ errno: Int32) -> TransportFailure {
    TransportFailure(view: ErrnoText.view(errno), isTimeout: false, errno: errno)
  }
}

/// Room for a failure's text that outlives the connection: the record of a TCP session is written later.
struct TransportFailureText {
  static let bytesMax = 512
  private var bytes: InlineArray<512, UInt8>

  /// Keeps as much of `view` as fits.
  ///
  /// - Parameter memory: Need not be initialised.
  static func keep(_ view: ByteView, in memory: UnsafeMutablePointer<Self>) -> ByteView {
    let kept = view.prefix(bytesMax)
    let base = UnsafeMutableRawPointer(memory).assumingMemoryBound(to: UInt8.self)
    base.update(from: kept.base, count: kept.count)
    return ByteView(base, kept.count)
  }
}
