/// A host behind CONNECT that ends at the proxy: no HTTP, and perhaps a PROXY header first.
final class ConnectHost {
  private var header: ProxyHeaderReader
  private var end: TunnelEnd?

  init(world: World, socket: PeerSocket, stream: TCPStream, habit: TCPParty.Habit) {
    header = ProxyHeaderReader(version: world.settings.tunnels.proxyHeader)
    if !header.isDone { world.network.coverage.note(.tunnelProxyHeader) }
    socket.readPace = .drawn(world.peerDice)
    socket.writePace = .drawn(world.peerDice)
    // A cut end breaks the tunnel.
    if !world.mayFail { socket.security?.mustClose = true }
    let name = "CONNECT host \(socket.connection.id)"
    let end = TunnelEnd(
      world: world, name: name, stream: stream, habit: habit, expectedKey: nil,
      carrier: TunnelEnd.Carrier(send: { socket.send($0) }, end: { socket.end() }, reset: { socket.abort() }))
    self.end = end
    // The socket keeps all of this until the connection is over.
    socket.onBytes = { [self, unowned world] in
      let rest = header.feed($0)
      if let wrong = header.wrong { world.report("\(name): \(wrong)") }
      if !rest.isEmpty { end.received(rest[...]) }
    }
    socket.onEnd = {
      end.otherEnded()
      socket.close()
    }
    socket.onReset = {
      end.broke("reset")
      socket.close()
    }
    end.accepted()
  }
}
