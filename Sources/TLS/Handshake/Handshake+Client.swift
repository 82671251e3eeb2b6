import COpenSSL
import Primitives

/// What a client says before its first step.
extension Handshake {
  /// The name of the server that is wanted (SNI): at most 255 bytes without NUL. Not for addresses.
  public func setServerName(_ name: ByteView) -> Bool {
    guard name.count > 0, name.count <= ServerName.bytesMax, name.firstIndex(of: 0) == nil else { return false }
    return withUnsafeTemporaryAllocation(of: CChar.self, capacity: ServerName.bytesMax + 1) { room in
      for i in 0..<name.count { room[i] = CChar(bitPattern: name[i]) }
      room[name.count] = 0
      return copenssl_handshake_set_server_name(pointer, room.baseAddress) == 1
    }
  }

  /// A name that the server's certificate must have among its subject alternative names, whatever the rules say; at most 255
  /// bytes. Looked at when the context has rules.
  public func setExpectedName(_ name: ByteView) -> Bool {
    copenssl_handshake_set_expected_name(pointer, name.base, name.count) == 1
  }

  /// Offers these protocols instead of the context's; ALPN in wire form.
  public func setProtocols(_ protocols: ByteView) -> Bool {
    copenssl_handshake_set_protocols(pointer, protocols.base, protocols.count) == 1
  }

  /// Offers a ticket, which is used up (RFC 8446, appendix C.4: a ticket is for one connection).
  public func resume(_ ticket: ClientTicket) -> Bool {
    defer { ticket.free() }
    return copenssl_handshake_resume(pointer, ticket.pointer) == 1
  }

  /// The ticket that came last, once: during the handshake in TLS 1.2, with the first reads in TLS 1.3.
  public func takeTicket() -> ClientTicket? {
    copenssl_handshake_take_ticket(pointer).map(ClientTicket.init)
  }
}

/// What a client resumes a connection with. Holds keys; the owner frees it, or gives it to ``Handshake/resume(_:)``.
public struct ClientTicket: BitwiseCopyable {
  let pointer: OpaquePointer

  public func free() { copenssl_ticket_free(pointer) }
}
