import COpenSSL
import Primitives

/// One connection while the library has it: during the handshake, and afterwards when it cannot be detached.
///
/// A pointer without a reference count: the owner calls ``free()`` once, before the context goes. Works on memory alone:
/// input comes as runs that are not copied, output goes to the room that is given. Costs about 76 KB while the handshake is
/// under way. Belongs to the thread of its context.
public struct Handshake: BitwiseCopyable {
  let pointer: OpaquePointer

  public enum Step: Equatable, Sendable {
    /// The handshake is over. What is left of the input belongs to the connection: give it to ``detach(_:)``'s protection or to
    /// ``read(into:room:input:output:)``.
    case done
    /// All input was taken and more is needed. There may be output.
    case needsInput
    /// The room is full: send it and call again, with input or without.
    case needsRoom
    /// Send the output, which may hold an alert, then close. ``failure`` and ``failureText(offered:)`` say why.
    case failed
  }

  /// The outcome of an attached read.
  public enum AttachedRead: Equatable, Sendable {
    /// So many bytes of plaintext; there may be more.
    case data(Int)
    case needsInput
    case needsRoom
    /// close_notify.
    case closed
    case failed
  }

  /// The outcome of an attached write.
  public enum AttachedWrite: Equatable, Sendable {
    /// So many bytes of plaintext are in the output, or kept by the library.
    case taken(Int)
    /// Nothing was taken; call again with the same bytes and more room.
    case needsRoom
    /// A message of the peer must come first.
    case needsInput
    case failed
  }

  /// - Parameter connection: Handed to callbacks of the context.
  /// - Parameter now: Seconds since 1970; certificates must be valid then.
  /// - Returns: nil when memory is short.
  public init?(_ context: TLSContextRef, connection: UnsafeMutableRawPointer? = nil, now: Int64) {
    guard let pointer = copenssl_handshake_new(context.pointer, connection, now) else { return nil }
    self.pointer = pointer
  }

  /// Cleanses and frees; no copy may be used afterwards.
  public func free() { copenssl_handshake_free(pointer) }

  /// Goes on with the handshake as far as input and room allow.
  ///
  /// - Parameter input: One run of received bytes; what was taken is dropped from its front.
  public func step(input: inout ByteView, output: inout OutputRoom) -> Step {
    lend(input, output)
    let result = copenssl_handshake_step(pointer)
    settle(&input, &output)
    switch result {
    case COPENSSL_DONE: return .done
    case COPENSSL_WANTS_INPUT: return .needsInput
    case COPENSSL_WANTS_ROOM: return .needsRoom
    default: return .failed
    }
  }

  /// Takes the connection out of the library.
  ///
  /// - Returns: The protection of its records; this object has then only ``agreement``, peer's certificates and ``free()`` left.
  ///   nil when it has to stay attached: a cipher that ``RecordProtection`` does not know, a record taken in part, small
  ///   records or new keys agreed on. It may be tried again later.
  public func detach(_ library: TLSLibrary) -> RecordProtection? {
    var keys = copenssl_keys()
    guard copenssl_handshake_detach(pointer, library.pointer, &keys) == 1 else { return nil }
    defer { OpenSSLSecret.cleanse(&keys) }
    return RecordProtection(keys, library: library.pointer)
  }

  // MARK: Attached

  /// Reads plaintext. Call it until it says ``AttachedRead/needsInput``: the library may hold more than one read gives.
  ///
  /// - Parameter output: Answers to the peer's messages go there.
  public func read(
    into: UnsafeMutablePointer<UInt8>, room: Int, input: inout ByteView, output: inout OutputRoom
  ) -> AttachedRead {
    lend(input, output)
    var count = 0
    let result = copenssl_handshake_read(pointer, into, room, &count)
    settle(&input, &output)
    switch result {
    case COPENSSL_DONE: return .data(count)
    case COPENSSL_WANTS_INPUT: return .needsInput
    case COPENSSL_WANTS_ROOM: return .needsRoom
    case COPENSSL_ENDED: return .closed
    default: return .failed
    }
  }

  /// Whether the library has opened more than ``read(into:room:input:output:)`` has given.
  public var holdsPlaintext: Bool { copenssl_handshake_pending(pointer) > 0 }

  /// Writes plaintext, one record at a time; after ``AttachedWrite/needsRoom`` it must be called with the same bytes first.
  public func write(_ bytes: ByteView, output: inout OutputRoom) -> AttachedWrite {
    lend(.empty, output)
    var taken = 0
    let result = copenssl_handshake_write(pointer, bytes.base, bytes.count, &taken)
    var nothing = ByteView.empty
    settle(&nothing, &output)
    switch result {
    case COPENSSL_DONE: return .taken(taken)
    case COPENSSL_WANTS_ROOM: return .needsRoom
    case COPENSSL_WANTS_INPUT: return .needsInput
    default: return .failed
    }
  }

  /// Writes close_notify; false when there is no room for it, or nothing can be written any more.
  public func closeNotify(output: inout OutputRoom) -> Bool {
    lend(.empty, output)
    let result = copenssl_handshake_close_notify(pointer)
    var nothing = ByteView.empty
    settle(&nothing, &output)
    return result == COPENSSL_DONE
  }

  /// Changes our keys while attached; for tests of the other side.
  package func updateKeys(asksForAnswer: Bool, output: inout OutputRoom) -> Bool {
    lend(.empty, output)
    let result = copenssl_handshake_update_keys(pointer, asksForAnswer ? 1 : 0)
    var nothing = ByteView.empty
    settle(&nothing, &output)
    return result == COPENSSL_DONE
  }

  // MARK: Leaves

  private func lend(_ input: ByteView, _ output: OutputRoom) {
    copenssl_handshake_input(pointer, input.base, input.count)
    copenssl_handshake_room(pointer, output.base + output.count, output.left)
  }

  private func settle(_ input: inout ByteView, _ output: inout OutputRoom) {
    input = input.dropFirst(copenssl_handshake_taken(pointer))
    output.count += copenssl_handshake_made(pointer)
    // Neither memory is the library's any more.
    copenssl_handshake_input(pointer, nil, 0)
    copenssl_handshake_room(pointer, nil, 0)
  }
}
