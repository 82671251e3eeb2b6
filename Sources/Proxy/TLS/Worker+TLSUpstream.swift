import Primitives
import Reactor
import Stats
import TLS

/// TLS to hosts.
extension Worker {
  /// The socket is connected: the handshake begins.
  func tlsConnect(_ connection: ConnectionRef, _ host: HostRef) {
    guard let transport = host.pointee.transport else { return }
    let tls = makeTLS(connection, isClient: true, stage: .hello)
    let client: TLSContexts.Client
    do throws(TLSSetupError) { client = try contexts().client(transport.slot) } catch {
      tlsFailed(connection, tls, .setup(error))
      return
    }
    guard
      let handshake = Handshake(
        client.context.ref, connection: UnsafeMutableRawPointer(tls), now: wallNow / 1_000_000_000)
    else {
      tlsFailed(connection, tls, .setup(TLSSetupError("memory is short")))
      return
    }
    tls.pointee.stage = .handshake
    tls.pointee.handshake = handshake
    tls.pointee.clientNumber = client.number
    tls.pointee.context = .passRetained(client.context)
    nameServer(connection, tls, client.config, handshake)
    if let pool = connection.pointee.pool, let ticket = pool.pointee.ticket {
      pool.pointee.ticket = nil
      if pool.pointee.ticketNumber == client.number {
        _ = handshake.resume(ticket)
      } else {
        ticket.free()
      }
    }
    tlsBegan(tls)
    tlsQueue(connection, tls)
  }

  /// Says whom we want to talk to, and expects that it is them.
  private func nameServer(
    _ connection: ConnectionRef, _ tls: TLSRef, _ config: TLSClientConfig, _ handshake: Handshake
  ) {
    var named = false
    var expects = false
    func use(_ name: ByteView) {
      guard !named, name.count > 0 else { return }
      named = true
      guard name.count <= ServerName.bytesMax else { return }
      // Addresses are not asked for (RFC 6066 section 3), but may be what a certificate is for.
      if IPAddress(name) == nil {
        keepName(tls, name)
        _ = handshake.setServerName(tls.pointee.serverName)
      }
      if config.expectsName { expects = handshake.setExpectedName(tls.pointee.serverName.isEmpty ? name : tls.pointee.serverName) }
    }
    let settings = connection.pointee.host?.pointee.settings
    let transport = connection.pointee.host?.pointee.transport
    if let pool = connection.pointee.pool {
      use(pool.pointee.serverName)
      if settings?.pointee.upstreamProtocol == .asDownstream || transport?.offersSpokenProtocol ?? false {
        _ = handshake.setProtocols(pool.pointee.isHTTP2 ? ByteView("\u{2}h2") : ByteView("\u{8}http/1.1"))
      }
    }
    if let offered = transport?.offered.buffer, let base = offered.baseAddress, !offered.isEmpty {
      _ = handshake.setProtocols(ByteView(base, offered.count))
    }
    if config.takesNameFromEndpoint, let host = connection.pointee.host {
      use(host.pointee.pointer.pointee.hostname.view)
    }
    config.serverName.withUnsafeBufferPointer { buffer in
      if let base = buffer.baseAddress { use(ByteView(base, buffer.count)) }
    }
    // A request that names nobody must not reach just anybody: no certificate is for this.
    if config.expectsName, !expects, connection.pointee.pool != nil || connection.pointee.role == .upstreamTunnel {
      _ = handshake.setExpectedName(ByteView("?"))
    }
  }

  /// With `auto_config` the handshake decides which protocol the connection speaks; requests that wait for one of the
  /// other kind come along.
  ///
  /// - Returns: False when the host has too many pools for another one: the connection is not of use.
  func agreeProtocol(_ connection: ConnectionRef, _ tls: TLSRef) -> Bool {
    guard let host = connection.pointee.host, let old = connection.pointee.pool,
      host.pointee.settings.pointee.upstreamProtocol == .automatic
    else { return true }
    let isHTTP2 = tls.pointee.negotiated == "h2"
    host.pointee.agreesOnHTTP2 = isHTTP2
    if isHTTP2 == old.pointee.isHTTP2 { return true }
    guard let new = HostRuntime.pool(
      host, isHTTP2: isHTTP2, name: old.pointee.serverName, isHigh: old.pointee.isHigh)
    else {
      slab.increment(host.pointee.cluster.pointee.pointer.pointee.stats.cxPoolOverflow)
      return false
    }
    if old.pointee.connectionCount == 1, old.pointee.holdsUnit, !new.pointee.holdsUnit {
      // All that the old one has comes along, and its unit too.
      old.pointee.holdsUnit = false
      new.pointee.holdsUnit = true
    }
    guard reservePool(new) else { return false }
    connection.pointee.role = isHTTP2 ? .upstreamHTTP2 : .upstreamHTTP1
    connection.pointee.pool = new
    old.pointee.connectingCount -= 1
    new.pointee.connectingCount += 1
    old.pointee.users -= 1
    new.pointee.users += 1
    old.pointee.connectionCount -= 1
    new.pointee.connectionCount += 1
    while let stream = old.pointee.pending.head {
      old.pointee.pending.remove(stream)
      new.pointee.pending.append(stream)
      stream.pointee.upstream.pool = new
    }
    releasePoolIfUnused(old)
    return true
  }

  // MARK: Tickets

  func tlsKeepsTickets(_ connection: ConnectionRef) -> Bool {
    guard let transport = connection.pointee.host?.pointee.transport,
      connection.pointee.pool != nil
    else { return false }
    return transport.keepsTickets
  }

  /// Keeps the newest ticket of a host's pool for its next connection.
  func tlsKeepTicket(_ connection: ConnectionRef, _ handshake: Handshake) {
    guard tlsKeepsTickets(connection), let pool = connection.pointee.pool, let ticket = handshake.takeTicket() else {
      return
    }
    pool.pointee.ticket?.free()
    pool.pointee.ticket = ticket
    pool.pointee.ticketNumber = connection.pointee.tls?.pointee.clientNumber ?? 0
  }
}
