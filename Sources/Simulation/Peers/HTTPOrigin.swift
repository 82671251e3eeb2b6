import HTTP2Harness
import Primitives

/// A host behind the proxy. It speaks what the proxy speaks to it: HTTP/2 begins with a preface.
final class HTTPOrigin {
  private unowned let world: World
  /// What it does beside its planned answers.
  private let script: ScriptedHost?

  init(world: World, script: ScriptedHost? = nil) {
    self.world = world
    self.script = script
  }

  func accept(_ socket: PeerSocket, role: OriginRole = .traffic) {
    let dice = world.dice(of: role)
    script?.accepted(socket)
    // A check that is slow by chance is one that fails.
    if role != .check {
      socket.readPace = .drawn(dice)
      socket.writePace = .drawn(dice)
    }
    var beginning: [UInt8] = []
    var connection: (any OriginConnection)?
    // The socket keeps all of this until the connection is over.
    socket.onBytes = { [world, script] bytes in
      if let connection { return connection.fed(bytes) }
      beginning += bytes
      let isHTTP2 = beginning.starts(with: Wire.preface)
      if !isHTTP2, Wire.preface.starts(with: beginning) { return }
      if let agreed = socket.agreed, agreed != (isHTTP2 ? "h2" : "http/1.1"), !(agreed == "" && !isHTTP2) {
        world.report("origin connection \(socket.connection.id): \"\(agreed)\" was agreed on, HTTP/2 is spoken: \(isHTTP2)")
      }
      let made: any OriginConnection =
        isHTTP2
        ? HTTP2OriginConnection(world: world, socket: socket, role: role, script: script)
        : HTTP1OriginConnection(world: world, socket: socket, role: role, script: script)
      connection = made
      made.start()
      made.fed(beginning)
    }
    socket.onEnd = { if let connection { connection.ended(isReset: false) } else { socket.close() } }
    socket.onReset = { if let connection { connection.ended(isReset: true) } else { socket.close() } }
  }
}

extension World {
  /// Chance of what hosts do: of traffic nobody else's changes by copies and checks.
  func dice(of role: OriginRole) -> Dice {
    switch role {
    case .traffic: peerDice
    case .mirror: mirrorDice
    case .check: hostDice
    }
  }
}

/// What became of a connection from the proxy when its protocol was known.
protocol OriginConnection: AnyObject {
  func start()
  func fed(_ bytes: [UInt8])
  /// The proxy has ended or reset the connection.
  func ended(isReset: Bool)
}
