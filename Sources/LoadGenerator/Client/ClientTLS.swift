import Glibc
import LoadBase
import Primitives
import TLS

/// What the connections of one thread share for TLS. Made on that thread.
final class ClientTLS {
  let library: TLSLibrary
  private let context: TLSContext
  /// Views into these are lent to the library.
  private let serverName: [UInt8]
  private let isAddress: Bool
  private let expectsName: Bool
  let keepsTickets: Bool
  /// Tickets that no connection has used; the newest last.
  private var tickets: [ClientTicket] = []
  private let ticketsMax: Int

  /// - Parameter ticketsMax: As many as connections may want to resume at once.
  init(_ plan: TLSPlan, protocols: [String], ticketsMax: Int) throws(TLSSetupError) {
    library = try TLSLibrary()
    context = try TLSContext(library, plan.contextOptions(protocols))
    serverName = Array(plan.serverName.utf8)
    isAddress = IPAddress(plan.serverName) != nil
    expectsName = plan.authorities != nil
    keepsTickets = plan.resumes
    self.ticketsMax = max(1, ticketsMax)
    tickets.reserveCapacity(keepsTickets ? self.ticketsMax : 0)
  }

  deinit { for ticket in tickets { ticket.free() } }

  /// A handshake that knows whom it is with; nil when memory is short.
  func begin() -> Handshake? {
    guard let handshake = Handshake(context.ref, now: Int64(time(nil))) else { return nil }
    let isNamed = serverName.withUnsafeBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return true }
      let name = ByteView(base, buffer.count)
      // Addresses are not asked for (RFC 6066 section 3), but certificates may be for them.
      return (isAddress || handshake.setServerName(name)) && (!expectsName || handshake.setExpectedName(name))
    }
    guard isNamed else {
      handshake.free()
      return nil
    }
    if let ticket = tickets.popLast() { _ = handshake.resume(ticket) }
    return handshake
  }

  func keep(_ ticket: ClientTicket) {
    if tickets.count < ticketsMax { tickets.append(ticket) } else { ticket.free() }
  }
}
