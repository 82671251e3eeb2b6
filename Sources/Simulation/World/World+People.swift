import Primitives

/// Who is in the world, and when they come.
extension World {
  private static func ip(_ a: UInt32, _ b: UInt32, _ c: UInt32, _ d: UInt32) -> IPAddress {
    IPAddress(v4: a << 24 | b << 16 | c << 8 | d)
  }

  static func proxyAddress(_ port: Int) -> SocketAddress {
    .ip(ip(10, 0, 0, 1), port: UInt16(port))
  }

  func addOrigins() {
    for subnet in [UInt32(1), 2] {
      for host in UInt32(1)...4 { addHost(subnet, host) }
    }
    for host in UInt32(1)...2 {
      let script = script("t\(host)")
      network.add(
        VirtualNetwork.Origin(
          accept: { [unowned self] in
            script.accepted($0)
            acceptTCP($0)
          },
          acceptCheck: { [unowned self] in
            network.coverage.note(.checkConnected)
            script.accepted($0)
            acceptNothing($0)
          }, door: { script.door }), at: .ip(Self.ip(10, 1, 3, host), port: 80))
    }
    if settings.tunnels.isOn { addConnectHosts() }
    if settings.mirrors.isOn { addMirrorHosts() }
    guard tlsParties != nil else { return }
    network.add(
      VirtualNetwork.Origin(accept: { [unowned self] in
        secureEndToEnd($0)
        acceptTCP($0)
      }), at: .ip(Self.ip(10, 1, 4, 1), port: 443))
  }

  /// A host of the HTTP clusters, at its two ports.
  private func addHost(_ subnet: UInt32, _ host: UInt32) {
    let script = script("\(subnet == 1 ? "a" : "b")\(host)")
    let origin = HTTPOrigin(world: self, script: script)
    let ip = Self.ip(10, 1, subnet, host)
    network.add(
      VirtualNetwork.Origin(
        accept: { origin.accept($0) }, acceptCheck: { origin.accept($0, role: .check) }, door: { script.door }),
      at: .ip(ip, port: 80))
    guard tlsParties != nil else { return }
    network.add(
      VirtualNetwork.Origin(
        accept: { [unowned self] in
          secureHost($0)
          origin.accept($0)
        },
        acceptCheck: { [unowned self] in
          secureHost($0, isCheck: true)
          origin.accept($0, role: .check)
        }, door: { script.door }), at: .ip(ip, port: 443))
  }

  private func script(_ name: String) -> ScriptedHost {
    let script = HostScript.drawn(hostDice, isCalm: isCalm)
    for act in script.acts { trace.record("host \(name): \(act)") }
    let host = ScriptedHost(name, script, network: network, startTime: startTime, dice: hostDice)
    scriptedHosts.append(host)
    return host
  }

  /// A check of a host that is content with a connection.
  private func acceptNothing(_ socket: PeerSocket) {
    socket.onBytes = { [unowned self] in report("a check of a connection sent \($0.count) bytes") }
    socket.onEnd = { socket.close() }
    socket.onReset = { socket.close() }
  }

  /// Hosts that get copies of requests. What they do is nobody's affair but the proxy's.
  private func addMirrorHosts() {
    for host in UInt32(1)...2 {
      let origin = HTTPOrigin(world: self)
      network.add(
        VirtualNetwork.Origin(accept: { [unowned self] in
          if hasDroppedMirrors { return $0.abort() }
          mirrorSockets.append($0)
          origin.accept($0, role: .mirror)
        }), at: .ip(Self.ip(10, 1, 6, host), port: 80))
    }
  }

  /// Hosts that get copies and never answer let go in the end.
  func dropMirrors() {
    hasDroppedMirrors = true
    for socket in mirrorSockets { socket.abort() }
    mirrorSockets = []
  }

  /// Hosts behind CONNECT that ends at the proxy.
  private func addConnectHosts() {
    for host in UInt32(1)...2 {
      let ip = Self.ip(10, 1, 5, host)
      network.add(VirtualNetwork.Origin(accept: { [unowned self] in acceptConnect($0) }), at: .ip(ip, port: 80))
      guard tlsParties != nil else { continue }
      network.add(
        VirtualNetwork.Origin(accept: { [unowned self] in
          secureHost($0)
          acceptConnect($0)
        }), at: .ip(ip, port: 443))
    }
  }

  private func acceptConnect(_ socket: PeerSocket) {
    nextTCPKey += 1
    let stream = TCPStream(key: nextTCPKey, count: peerDice.skewed(0...planMaker.streamBytesMax / 2))
    connectHosts.append(
      ConnectHost(world: self, socket: socket, stream: stream, habit: tcpHabit(.endsFirst)))
  }

  func addClients() {
    for number in (clientCount - stormCount + 1)..<(clientCount + 1) {
      events.after(Time.millisecond, stranger(number, isInStorm: true))
    }
    for number in 1...clientCount - stormCount {
      let start = UInt64(worldDice.skewed(0...2_000_000)) * Time.microsecond
      let isTCP = worldDice.chance(0.25)
      let isStranger = tlsParties != nil && tlsDice.chance(0.2)
      let make = isStranger ? stranger(number) : isTCP ? tcpClient(number) : httpClient(number)
      events.after(start, make)
    }
  }

  private func address(of number: Int) -> SocketAddress {
    .ip(Self.ip(10, 9, 0, UInt32(number)), port: UInt16(20_000 + number))
  }

  // MARK: HTTP

  private func httpClient(_ number: Int) -> () -> Void {
    let isHTTP2 = worldDice.chance(0.4)
    let security = clientSecurity(isHTTP2: isHTTP2)
    let plans = plans(worldDice.skewed(1...12), isHTTP2: isHTTP2, security)
    let isProxied = security == nil ? worldDice.chance(0.2) : settings.tls.isBehindProxy
    let port =
      security != nil
      ? TLSSettings.port : isProxied ? SimulatedConfiguration.proxyProtocolPort : SimulatedConfiguration.httpPort
    if isProxied { for plan in plans { plan.clientIsExternal = true } }
    let depth = worldDice.chance(isHTTP2 ? 0.8 : 0.3) ? worldDice.within(2...6) : 1
    let intent = PlannedClient.Intent(
      number: number, plans: plans,
      listener: Self.proxyAddress(port), address: address(of: number), depth: depth,
      ending: worldDice.pick([.closes, .closes, .halfCloses, .staysIdle] + (isCalm ? [] : [.resets])),
      preface: isProxied ? proxyHeader(number) : [], tls: security)
    let client = isHTTP2 ? HTTP2Client(world: self, intent) : HTTP1Client(world: self, intent)
    httpClients.append(client)
    return { client.start() }
  }

  /// Over HTTP/1 nothing follows a tunnel on its connection.
  private func plans(
    _ count: Int, isHTTP2: Bool, _ security: TLSParties.ClientIntent?
  ) -> [ExchangePlan] {
    var plans: [ExchangePlan] = []
    while plans.count < count {
      let plan = planMaker.make(isHTTP2: isHTTP2, tls: security)
      plans.append(plan)
      if plan.tunnel != nil, !isHTTP2 { break }
    }
    return plans
  }

  /// The PROXY protocol's header, version 1 or 2.
  private func proxyHeader(_ number: Int) -> [UInt8] {
    if worldDice.chance(0.5) {
      network.coverage.note(.proxyProtocolV1)
      return Array("PROXY TCP4 192.0.2.\(number) 10.0.0.1 1234 8081\r\n".utf8)
    }
    network.coverage.note(.proxyProtocolV2)
    let signature: [UInt8] = [13, 10, 13, 10, 0, 13, 10, 81, 85, 73, 84, 10]
    return signature + [0x21, 0x11, 0, 12, 192, 0, 2, UInt8(number), 10, 0, 0, 1, 4, 210, 31, 145]
  }

  // MARK: TLS

  private func stranger(_ number: Int, isInStorm: Bool = false) -> () -> Void {
    // Who is refused for its certificate has to find the chain that asks for one.
    let kinds = TLSStranger.Kind.allCases.filter {
      settings.tls.hasNames || $0 != .untrusted && $0 != .withoutCertificate
    }
    let stranger = TLSStranger(
      world: self, number: number, kind: isInStorm ? .earlyAlert : tlsDice.pick(kinds), isFast: isInStorm,
      preface: settings.tls.isBehindProxy ? proxyHeader(number) : [])
    tlsStrangers.append(stranger)
    return { [unowned self] in
      guard let socket = network.connect(to: Self.proxyAddress(TLSSettings.port), from: address(of: number)) else {
        if !mayRefuse { report("nobody listens on the TLS port") }
        return clientDone()
      }
      stranger.start(socket)
    }
  }

  // MARK: TCP

  private func tcpClient(_ number: Int) -> () -> Void {
    let stream = TCPStream(key: UInt64(number) << 40, count: worldDice.skewed(0...planMaker.streamBytesMax))
    let habit = tcpHabit(worldDice.chance(0.5) ? .endsFirst : .endsLast)
    let security = streamSecurity()
    let preface = security != nil && settings.tls.isBehindProxy ? proxyHeader(number) : []
    return { [unowned self] in
      guard
        let socket = network.connect(
          to: Self.proxyAddress(security == nil ? SimulatedConfiguration.tcpPort : TLSSettings.port),
          from: address(of: number))
      else {
        if !mayRefuse { report("nobody listens on the TCP port") }
        return clientDone()
      }
      let party = TCPParty(
        world: self, name: "TCP client \(number)", socket: socket, stream: stream, habit: habit,
        onDone: { [unowned self] in clientDone() })
      tcpParties.append(party)
      socket.send(preface)
      if let security, let tlsParties {
        let tls = tlsParties.client(security) { [unowned self] in report("TCP client \(number): \($0)") }
        tls.onEstablished = { [unowned self] _ in network.coverage.note(.tlsTCP) }
        socket.secure(tls)
      }
      party.start()
    }
  }

  private func acceptTCP(_ socket: PeerSocket) {
    nextTCPKey += 1
    let stream = TCPStream(key: nextTCPKey, count: peerDice.skewed(0...planMaker.streamBytesMax))
    // Somebody must end first, and only the client knows whether it does: the origin always does.
    let party = TCPParty(
      world: self, name: "TCP origin \(socket.connection.id)", socket: socket, stream: stream,
      habit: tcpHabit(.endsFirst), onDone: {})
    tcpParties.append(party)
    party.start()
  }

  private func tcpHabit(_ usual: TCPParty.Habit) -> TCPParty.Habit {
    guard !isCalm, peerDice.chance(planMaker.hasLargeBodies ? 0.6 : 0.2) else { return usual }
    return .resets(after: peerDice.skewed(0...planMaker.streamBytesMax / 2))
  }
}
