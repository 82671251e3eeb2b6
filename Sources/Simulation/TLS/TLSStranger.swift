import Primitives

/// A client at the listener with TLS that the proxy must not serve: it gets records and the end, and nothing it could read.
final class TLSStranger {
  enum Kind: CaseIterable {
    case plainHTTP, noHello, halfHello, hugeHello, earlyAlert, untrusted, withoutCertificate

    var feature: Coverage.Feature {
      switch self {
      case .plainHTTP: .tlsPlainHTTP
      case .noHello: .tlsNoHello
      case .halfHello: .tlsHalfHello
      case .hugeHello: .tlsHugeHello
      case .earlyAlert: .tlsEarlyAlert
      case .untrusted: .tlsUntrustedClient
      case .withoutCertificate: .tlsClientWithoutCertificate
      }
    }
  }

  private unowned let world: World
  private let number: Int
  private let kind: Kind
  private let isFast: Bool
  private let preface: [UInt8]
  private var socket: PeerSocket?
  private var watch = TLSRecordWatch()
  private var isDone = false
  /// Longer than any limit of the proxy.
  private static let patience = 7300 * Time.second

  init(world: World, number: Int, kind: Kind, isFast: Bool, preface: [UInt8]) {
    self.isFast = isFast
    self.world = world
    self.number = number
    self.kind = kind
    self.preface = preface
  }

  private func violation(_ text: String) { world.report("stranger \(number) (\(kind)): \(text)") }

  func start(_ socket: PeerSocket) {
    self.socket = socket
    world.network.coverage.note(kind.feature)
    if !isFast {
      socket.readPace = .drawn(world.peerDice)
      socket.writePace = .drawn(world.peerDice)
    }
    socket.onEnd = { [self] in end() }
    socket.onReset = { [self] in end() }
    socket.send(preface)
    world.events.after(Self.patience) { [self] in
      guard !isDone else { return }
      violation("is still connected after two hours")
      end()
    }
    switch kind {
    case .untrusted: speak(.stranger)
    case .withoutCertificate: speak(nil)
    case .plainHTTP, .noHello, .halfHello, .hugeHello, .earlyAlert:
      socket.onBytes = { [self] in
        watch.feed($0)
        if let wrong = watch.wrong { violation(wrong) }
      }
      socket.send(bytes)
      // Half of those who have said something that cannot go on end their direction.
      if kind != .halfHello || world.tlsDice.chance(0.5) { socket.end() }
    }
  }

  private var bytes: [UInt8] {
    let dice = world.tlsDice
    switch kind {
    case .plainHTTP: return Array("GET /a/1 HTTP/1.1\r\nhost: sim\r\nx-id: 1\r\n\r\n".utf8)
    case .noHello:
      return [UInt8(dice.pick([0, 20, 21, 23, 80, 255]))] + (0..<dice.within(10...2000)).map { _ in UInt8(dice.within(0...255)) }
    case .hugeHello:
      // Records of a hello of 65,000 bytes.
      let record: [UInt8] = [22, 3, 1, 0x40, 0] + [UInt8](repeating: 0, count: 16_384)
      var first = record
      first.replaceSubrange(5..<9, with: [1, 0, 0xFD, 0xE8])
      return first + record + record
    case .halfHello:
      let hello = hello
      return Array(hello.prefix(dice.within(1...max(1, hello.count - 1))))
    case .earlyAlert: return hello + [21, 3, 3, 0, 2, 2, 40]
    case .untrusted, .withoutCertificate: return []
    }
  }

  private var hello: [UInt8] {
    world.tlsParties?.client(
      TLSParties.ClientIntent(serverName: TLSSettings.edge, protocols: [], versionMax: .tls13), report: violation
    ).begin() ?? []
  }

  /// A request over TLS, with a certificate that does not count, or none.
  private func speak(_ identity: SimulatedIdentity?) {
    guard let socket, let parties = world.tlsParties else { return end() }
    let security = parties.client(
      TLSParties.ClientIntent(
        serverName: TLSSettings.mutual, protocols: [], versionMax: world.tlsDice.pick([.tls12, .tls13]),
        presents: identity, isRefused: true),
      report: { [unowned self] in violation($0) })
    socket.onBytes = { [unowned self] in violation("was answered: \(PeerSocket.shown($0))") }
    socket.secure(security)
    socket.send("GET /direct/1 HTTP/1.1\r\nhost: sim\r\n\r\n")
  }

  private func end() {
    guard !isDone else { return }
    isDone = true
    socket?.close()
    world.clientDone()
  }
}
