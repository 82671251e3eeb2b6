import HTTP1
import HTTPCore
import Primitives
import Reactor
import Routing
import Stats

/// Redirects of hosts that the proxy follows itself: the request goes through the filters and the router once more, to
/// where the redirect leads.
extension Worker {
  // MARK: The decision

  /// Whether a response that nobody has seen is followed. The request is then as its next pass is to see it.
  func followsRedirect(
    _ stream: HTTPStreamRef, _ plan: UnsafeMutablePointer<AttemptPlan>, _ status: UInt16
  ) -> Bool {
    guard plan.pointee.flags.contains(.mayRedirect), let policies = routePolicies(stream),
      policies.pointee.redirect.follows(status), !stream.pointee.has(.isUpgrade)
    else { return false }
    let stats = stream.pointee.upstream.cluster?.pointee.pointer.pointee.stats
    guard stream.pointee.upstream.requestEnded, isWhole(stream, plan),
      let location = stream.pointee.response.value(.location), turns(stream, policies, to: location, status)
    else {
      if let stats { slab.increment(stats.internalRedirectFailed) }
      return false
    }
    if let stats { slab.increment(stats.internalRedirectSucceeded) }
    plan.pointee.flags.insert(.isRedirected)
    // The record of this pass has it.
    stream.pointee.info.responseCode = status
    return true
  }

  /// All of the request's body can be had once more.
  private func isWhole(_ stream: HTTPStreamRef, _ plan: UnsafeMutablePointer<AttemptPlan>) -> Bool {
    plan.pointee.flags.contains(.keepsBody) || !stream.pointee.upstream.bodySent
  }

  /// Turns the request to where a redirect leads; it stays as it is when that may not be.
  private func turns(
    _ stream: HTTPStreamRef, _ policies: UnsafeMutablePointer<RoutePolicies>, to location: ByteView, _ status: UInt16
  ) -> Bool {
    let stats = stream.pointee.manager.pointee.stats
    guard let target = RedirectTarget(location) else {
      slab.increment(stats.redirectBadLocation)
      return false
    }
    // What a redirect before this one led to does not make the client's connection any safer.
    let wasHTTPS =
      stream.pointee.connection.pointee.has(.isTLS) && stream.pointee.request.value(.scheme).map { $0 == "https" } ?? false
    guard policies.pointee.redirect.allowsCrossScheme || wasHTTPS == target.isHTTPS else {
      slab.increment(stats.redirectUnsafeScheme)
      return false
    }
    let trail = self.trail(stream)
    guard trail.pointee.count < policies.pointee.redirect.redirectsMax else {
      slab.increment(stats.redirectTooMany)
      return false
    }
    let authority = stream.pointee.request.value(.authority) ?? .empty
    let path = stream.pointee.request.value(.path) ?? ByteView("/")
    let scheme = stream.pointee.request.value(.scheme) ?? ByteView("http")
    point(stream, at: target)
    guard isTaken(stream, policies, trail, wasHTTPS: wasHTTPS, target) else {
      stream.pointee.request.set(.authority, authority)
      stream.pointee.request.set(.path, path)
      stream.pointee.request.set(.scheme, scheme)
      return false
    }
    trail.pointee.count += 1
    stream.pointee.request.set(.envoyOriginalURL, url(stream, scheme, authority, path))
    copyHeaders(stream, policies)
    if status == 303 { becomeGet(stream) }
    return true
  }

  private func trail(_ stream: HTTPStreamRef) -> UnsafeMutablePointer<RedirectTrail> {
    if let trail = stream.pointee.upstream.trail { return trail }
    let trail = stream.pointee.arena.allocate(of: RedirectTrail.self, count: 1)
    trail.initialize(to: RedirectTrail())
    stream.pointee.upstream.trail = trail
    return trail
  }

  private func point(_ stream: HTTPStreamRef, at target: RedirectTarget) {
    stream.pointee.request.set(.authority, stream.pointee.arena.copy(target.authority))
    stream.pointee.request.set(.scheme, target.isHTTPS ? ByteView("https") : ByteView("http"))
    if target.path.isEmpty {
      stream.pointee.request.set(.path, ByteView("/"))
    } else if target.path[0] == UInt8(ascii: "/") {
      stream.pointee.request.set(.path, stream.pointee.arena.copy(target.path))
    } else {
      var path = ArenaText(stream, capacity: target.path.count + 1)
      path.put(ByteView("/"))
      path.put(target.path)
      stream.pointee.request.set(.path, path.view)
    }
  }

  /// Whether a route takes the request as it is now, and one that the policy lets it have.
  private func isTaken(
    _ stream: HTTPStreamRef, _ policies: UnsafeMutablePointer<RoutePolicies>,
    _ trail: UnsafeMutablePointer<RedirectTrail>, wasHTTPS: Bool, _ target: RedirectTarget
  ) -> Bool {
    let stats = stream.pointee.manager.pointee.stats
    guard let table = stream.pointee.route.table else { return false }
    let match = matchRoute(stream, table)
    guard match.outcome == .route else {
      slab.increment(stats.redirectNoRoute)
      return false
    }
    let name = table.pointee.lookup.route(match.route).pointee.name
    let from = stream.pointee.route.index
    guard !(policies.pointee.redirect.forbidsUnsafeScheme && !wasHTTPS && target.isHTTPS),
      isAllowed(name, policies),
      !(policies.pointee.redirect.forbidsPreviousRoutes && trail.pointee.has(from: from, to: name))
    else {
      slab.increment(stats.redirectPredicate)
      return false
    }
    if policies.pointee.redirect.forbidsPreviousRoutes {
      let step = stream.pointee.arena.allocate(of: RedirectTrail.Step.self, count: 1)
      step.initialize(to: RedirectTrail.Step(from: from, to: name, previous: trail.pointee.last))
      trail.pointee.last = step
    }
    return true
  }

  private func isAllowed(_ name: ByteView, _ policies: UnsafeMutablePointer<RoutePolicies>) -> Bool {
    guard let allowed = policies.pointee.redirect.allowedRoutes else { return true }
    for one in allowed.buffer where one.view == name { return true }
    return false
  }

  private func url(
    _ stream: HTTPStreamRef, _ scheme: ByteView, _ authority: ByteView, _ path: ByteView
  ) -> ByteView {
    var text = ArenaText(stream, capacity: scheme.count + authority.count + path.count + 3)
    text.put(scheme)
    text.put(ByteView("://"))
    text.put(authority)
    text.put(path)
    return text.view
  }

  /// What the redirect brings along for the next host (`response_headers_to_copy`); what it does not bring goes.
  private func copyHeaders(_ stream: HTTPStreamRef, _ policies: UnsafeMutablePointer<RoutePolicies>) {
    for header in policies.pointee.redirect.copiedHeaders.buffer {
      stream.pointee.request.remove(name: header.name.view, known: header.known)
      guard let value = stream.pointee.response.value(name: header.name.view, known: header.known) else { continue }
      stream.pointee.request.append(
        name: header.name.view, value: stream.pointee.arena.copy(value), known: header.known)
    }
  }

  /// 303 (RFC 9110 section 15.4.4): look elsewhere, with nothing in hand.
  private func becomeGet(_ stream: HTTPStreamRef) {
    guard stream.pointee.requestMethod != .head, stream.pointee.requestMethod != .get else { return }
    stream.pointee.request.set(.method, ByteView("GET"))
    stream.pointee.requestMethod = .get
    stream.pointee.request.remove(.contentLength)
    stream.pointee.requestTrailers = HeaderMap(unallocatedIn: stream.pointee.response.arenaPointer)
    stream.pointee.flags.remove(.hasRequestTrailers)
    if let plan = stream.pointee.upstream.plan { plan.pointee.flags.insert(.dropsBody) }
  }

  // MARK: The next pass

  /// The redirect's response is gone: the request begins again. Until here it has a log record of its own.
  func restartRedirected(_ stream: HTTPStreamRef, _ plan: UnsafeMutablePointer<AttemptPlan>) {
    var body = stream.pointee.upstream.waitingBody
    stream.pointee.upstream.waitingBody = SegmentQueue()
    if plan.pointee.flags.contains(.dropsBody) { segments.releaseAll(&body) }
    endPass(stream)
    stream.pointee.info.beginAgain()
    chooseRoute(stream)
    let hasTrailers = stream.pointee.has(.hasRequestTrailers)
    decodeHeaders(stream, from: 0, endsStream: body.isEmpty && !hasTrailers)
    if !body.isEmpty {
      if stream.pointee.has(.finished) { segments.releaseAll(&body) } else { decodeData(stream, &body, endsStream: !hasTrailers) }
    }
    if hasTrailers, !stream.pointee.has(.finished) { decodeTrailers(stream) }
  }

  /// Filters, router and upstream let go of the request.
  private func endPass(_ stream: HTTPStreamRef) {
    stream.pointee.info.end = now
    stream.pointee.info.responseCodeDetails = ByteView("internal_redirect")
    tellFiltersOfEnd(stream)
    logStream(stream)
    dropFilterTimers(stream)
    dropPlan(stream)
    if !stream.pointee.mirrors.isEmpty { dropMirrors(stream) }
    if let host = stream.pointee.upstream.host {
      host.pointee.users -= 1
      stream.pointee.upstream.host = nil
      freeHostIfUnused(host)
    }
    let filterCount = stream.pointee.filters.pointee.count
    stream.pointee.decoding.clear(filterCount: filterCount, segments: segments)
    stream.pointee.encoding.clear(filterCount: filterCount, segments: segments)
    stream.pointee.filterStates = nil
    stream.pointee.requestBufferLimitBytes = nil
    let trail = stream.pointee.upstream.trail
    stream.pointee.upstream = UpstreamRequest()
    stream.pointee.upstream.trail = trail
    stream.pointee.route = RouteChoice()
    stream.pointee.routeDeadline = 0
    let manager = stream.pointee.manager
    stream.pointee.idleTimeout = manager.pointee.streamIdleTimeout
    // The route's own times were those of the first target.
    let duration = manager.pointee.maxStreamDuration
    stream.pointee.durationDeadline = duration > 0 ? stream.pointee.info.start &+ duration : 0
    stream.pointee.flags.subtract([.decodeEnded, .repeatedByProxy, .wantsNewConnection])
  }
}
