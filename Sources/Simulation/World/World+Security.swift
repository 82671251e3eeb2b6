import Primitives
import TLS

/// Who speaks TLS in this world, and how.
extension World {
  // MARK: Clients

  /// How a client with HTTP meets the listener with TLS; nil for one that does not.
  func clientSecurity(isHTTP2: Bool) -> TLSParties.ClientIntent? {
    guard settings.tls.isOn, tlsDice.chance(0.6) else { return nil }
    let isMutual = settings.tls.hasNames && tlsDice.chance(0.3)
    return TLSParties.ClientIntent(
      serverName: isMutual ? TLSSettings.mutual : TLSSettings.edge,
      protocols: isHTTP2 ? tlsDice.pick([["h2"], ["h2", "http/1.1"]]) : tlsDice.pick([["http/1.1"], []]),
      versionMax: tlsDice.chance(0.75) ? .tls13 : .tls12, presents: isMutual ? .client : nil)
  }

  /// How a client without HTTP does.
  func streamSecurity() -> TLSParties.ClientIntent? {
    guard settings.tls.isOn, settings.tls.hasNames, tlsDice.chance(0.6) else { return nil }
    let isPassed = tlsDice.chance(0.5)
    return TLSParties.ClientIntent(
      serverName: isPassed ? TLSSettings.passed : TLSSettings.tcp, protocols: [],
      versionMax: tlsDice.chance(0.75) ? .tls13 : .tls12, isEndToEnd: isPassed)
  }

  // MARK: Hosts

  /// A host of an HTTP cluster begins TLS.
  ///
  /// - Parameter isCheck: Main asks how the host is: a check that is given up takes its connection along.
  func secureHost(_ socket: PeerSocket, isCheck: Bool = false) {
    let settings = settings.tls
    // With `auto_config` the host chooses; else it takes what is offered.
    let choices: [[String]] =
      settings.agreesOnProtocol
      ? [["h2", "http/1.1"], ["http/1.1"], []] : [["h2", "http/1.1"], ["http/1.1", "h2"]]
    secureHost(
      socket, protocols: tlsDice.pick(choices),
      asksForCertificate: settings.showsCertificateToHosts && tlsDice.chance(0.5), isCheck: isCheck)
  }

  /// The host at the end of a connection that the proxy does not look into.
  func secureEndToEnd(_ socket: PeerSocket) {
    secureHost(socket, protocols: [], asksForCertificate: false, isEndToEnd: true)
  }

  private func secureHost(
    _ socket: PeerSocket, protocols: [String], asksForCertificate: Bool, isEndToEnd: Bool = false, isCheck: Bool = false
  ) {
    guard let tlsParties else { return report("a connection with TLS where there is none") }
    let id = socket.connection.id
    let security = tlsParties.server(
      protocols: protocols, asksForCertificate: asksForCertificate, isEndToEnd: isEndToEnd
    ) { [unowned self] in report("origin connection \(id): \($0)") }
    security.onEstablished = { [unowned self] in
      if $0.hasPeerCertificate { network.coverage.note(.tlsProxyCertificate) }
      if isEndToEnd { return network.coverage.note(.tlsPassedThrough) }
      network.coverage.note(.tlsToHost)
      if settings.tls.agreesOnProtocol { network.coverage.note(.tlsProtocolAgreed) }
      socket.agreed = $0.alpn.string
    }
    socket.onCut = { [unowned self] in
      // A request whose time is over takes its connection along, perhaps in the middle of a record.
      if !mayFail, !isCheck, events.now - latestTimeout > 10 * Time.second {
        report("origin connection \(id): TLS: the connection ended without close_notify")
      }
    }
    socket.secure(security)
  }

  // MARK: Rotation

  /// New certificates and ticket keys: calm worlds have them too, for nobody may notice.
  func planRotations() {
    guard settings.tls.isOn else { return }
    for _ in 0..<rotationCount { events.after(randomTime()) { [unowned self] in rotate() } }
    for _ in 0..<tlsDice.within(0...2) {
      events.after(randomTime()) { [unowned self] in
        trace.record("\(events.now) the ticket keys turn")
        network.coverage.note(.tlsTicketKeysTurned)
        main.turnTicketKeys()
      }
    }
  }

  private func rotate() {
    guard !hasDrained else { return }
    settings.tls.rotate(tlsDice)
    trace.record("\(events.now) a certificate is renewed")
    network.coverage.note(.tlsRotation)
    if tlsParties?.underWay ?? 0 > 0 { network.coverage.note(.tlsRotationMidHandshake) }
    if hasRequestUnderWay { network.coverage.note(.tlsRotationMidRequest) }
    main.publish(settings.text)
  }
}
