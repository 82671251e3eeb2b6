/// What the proxy's configuration says about tunnels: drawn by seed.
struct TunnelSettings {
  let isOn: Bool
  /// Version of the PROXY header in front of what CONNECT carries; 0 for none.
  let proxyHeader: Int

  init(_ dice: Dice) {
    isOn = dice.chance(0.4)
    proxyHeader = dice.pick([0, 0, 1, 2])
  }

  /// Fields of a connection manager.
  var managerText: String {
    isOn ? "upgrade_configs: [{ upgrade_type: websocket }, { upgrade_type: sim }, { upgrade_type: forbidden, enabled: false }], " : ""
  }

  /// In `http2_protocol_options`, of managers and clusters.
  var http2Text: String { isOn ? ", allow_connect: true" : "" }

  /// Virtual hosts for CONNECT, in front of the one for everything.
  var virtualHosts: String {
    guard isOn else { return "" }
    let header = proxyHeader == 0 ? "" : "proxy_protocol_config: { version: V\(proxyHeader) }"
    return
      "{ name: ended, domains: [\"\(TunnelPlan.endsHere)\"], routes: [{ match: { connect_matcher: {} }, route: { cluster: q, timeout: 0s, upgrade_configs: [{ upgrade_type: CONNECT, connect_config: { \(header) } }] } }] }, { name: passed, domains: [\"\(TunnelPlan.passedOn)\"], routes: [{ match: { connect_matcher: {} }, route: { cluster: a, timeout: 0s, upgrade_configs: [{ upgrade_type: CONNECT }] } }] }, "
  }
}
