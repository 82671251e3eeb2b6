import HTTP1
import HTTPCore
import Primitives
import Routing
import Stats

/// Which requests may leave HTTP: upgrades, CONNECT, and extended CONNECT (RFC 8441), which looks like an upgrade from
/// here on.
extension Worker {
  enum UpgradeAdmission {
    case admitted
    /// Answered with 403.
    case refused
    /// CONNECT that no route takes: a request like any other, for which there is nothing.
    case ordinary
  }

  /// Looks at a request that asks for another protocol; its route is chosen.
  func admitUpgrade(_ stream: HTTPStreamRef) -> UpgradeAdmission {
    let manager = stream.pointee.manager
    let isConnect = stream.pointee.requestMethod == .connect
    if isConnect, stream.pointee.route.entry == nil { return .ordinary }
    guard let type = isConnect ? ByteView("CONNECT") : upgradeType(stream), allowUpgrade(stream, to: type) else {
      slab.increment(manager.pointee.stats.rqUpgradeRefused)
      // What follows may be of the other protocol.
      stream.pointee.flags.insert(.closesConnection)
      sendLocalReply(stream, status: 403, body: .empty, details: "upgrade_failed", flags: [])
      return .refused
    }
    slab.increment(manager.pointee.stats.cxUpgradesTotal)
    slab.increment(manager.pointee.stats.cxUpgradesActive)
    stream.pointee.flags.insert(.isUpgrade)
    // The head is all of the request that there is; what follows is not a body and has no length.
    stream.pointee.requestDeadline = 0
    stream.pointee.request.remove(.contentLength)
    return .admitted
  }

  /// What the request wants to become; nil when it says so more than once.
  private func upgradeType(_ stream: HTTPStreamRef) -> ByteView? {
    stream.pointee.request.occurrences(.upgrade) == 1 ? stream.pointee.request.value(.upgrade) : nil
  }

  /// Whether the stream may become `type`: the route's word counts more than the listener's. If so, it passes the
  /// filters that the listener has for it.
  private func allowUpgrade(_ stream: HTTPStreamRef, to type: ByteView) -> Bool {
    let manager = stream.pointee.manager
    guard case .allowed(let rule) = HTTPConnectionManagerConfig.upgrade(manager, to: type, route: stream.pointee.route.entry) else {
      return false
    }
    if let rule, let filters = manager.pointee.upgrades.buffer[rule].filters?.view {
      stream.pointee.filters = filters
      stream.pointee.route.filterBase = manager.pointee.upgrades.buffer[rule].filterBase
      if let table = stream.pointee.route.table, table.pointee.hasDisabledFilters { findDisabledFilters(stream) }
    }
    return true
  }

  /// Gives extended CONNECT the form of an upgrade, so that routes and filters know one form.
  func unfoldExtendedConnect(_ stream: HTTPStreamRef) {
    guard let type = stream.pointee.request.value(.connectProtocol) else { return }
    stream.pointee.request.remove(.connectProtocol)
    stream.pointee.request.set(.method, ByteView("GET"))
    stream.pointee.request.append(.upgrade, type)
    stream.pointee.requestMethod = .get
  }

  // MARK: WebSocket keys

  /// An HTTP/1 server wants a key, and a client of HTTP/2 has none.
  func addWebSocketKey(_ stream: HTTPStreamRef) {
    guard stream.pointee.has(.isHTTP2), isWebSocket(stream), !stream.pointee.request.contains(.secWebSocketKey)
    else { return }
    stream.pointee.flags.insert(.hasMadeKey)
    stream.pointee.request.append(.secWebSocketKey, WebSocketKey.make(&random, arena: &stream.pointee.arena))
  }

  /// Answers the client's key when the host has not, and nobody's when the key was the proxy's own.
  func answerWebSocketKey(_ stream: HTTPStreamRef) {
    if stream.pointee.has(.hasMadeKey) {
      stream.pointee.response.remove(.secWebSocketAccept)
    } else if !stream.pointee.has(.isHTTP2), isWebSocket(stream), !stream.pointee.response.contains(.secWebSocketAccept),
      let key = stream.pointee.request.value(.secWebSocketKey),
      let accept = WebSocketKey.accept(key, arena: &stream.pointee.arena)
    {
      stream.pointee.response.append(.secWebSocketAccept, accept)
    }
  }

  private func isWebSocket(_ stream: HTTPStreamRef) -> Bool {
    stream.pointee.request.value(.upgrade).map { $0.equalsIgnoringCase("websocket") } ?? false
  }
}
