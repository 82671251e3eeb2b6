import Format
import HTTPCore
import Primitives
import Reactor
import Routing
import Stats

/// Copies of requests for other clusters (`request_mirror_policies`): internal requests that nobody wants the responses of.
///
/// A copy's head is what the host gets, its body follows piece by piece. A copy holds at most what the request's buffer
/// limit says: one that cannot keep up is given up, and never is a client made to wait for it.
extension Worker {
  // MARK: Heads

  /// The request's head is as its host will see it, and no host has been chosen.
  func makeMirrors(_ stream: HTTPStreamRef, _ policies: UnsafeMutablePointer<RoutePolicies>) {
    // A tunnel is no request that could be sent twice.
    guard stream.pointee.flags.isDisjoint(with: [.isUpgrade, .terminatesConnect]), stream.pointee.requestMethod != .connect
    else { return }
    let mirrors = policies.pointee.mirrors.buffer
    for i in mirrors.indices {
      let policy = mirrors.baseAddress.map { $0 + i }
      guard let policy, isMirrored(policy), let cluster = mirrorCluster(stream, policy) else { continue }
      makeMirror(stream, policy, cluster)
    }
  }

  private func isMirrored(_ policy: UnsafeMutablePointer<MirrorPolicy>) -> Bool {
    if policy.pointee.numerator >= policy.pointee.denominator { return true }
    return policy.pointee.numerator > 0 && random.below(policy.pointee.denominator) < policy.pointee.numerator
  }

  private func mirrorCluster(_ stream: HTTPStreamRef, _ policy: UnsafeMutablePointer<MirrorPolicy>) -> UInt32? {
    switch policy.pointee.cluster {
    case .slot(let slot): return slot
    case .header(let header, let known):
      guard let name = stream.pointee.request.value(name: header.view, known: known), !name.isEmpty else { return nil }
      return stream.pointee.generation.pointee.clusterNames._withUnsafeGuaranteedRef { $0.find(name) }
    }
  }

  private func makeMirror(_ stream: HTTPStreamRef, _ policy: UnsafeMutablePointer<MirrorPolicy>, _ cluster: UInt32) {
    var settings = InternalRequest.Settings(target: .cluster(cluster))
    settings.timeout = stream.pointee.route.timeoutNanoseconds
    settings.idleTimeout = stream.pointee.idleTimeout
    settings.bufferLimitBytes = requestBufferLimit(stream)
    guard let mirror = makeInternalStream(settings) else { return }
    copyHead(of: stream, to: mirror)
    if let mutations = policy.pointee.mutations {
      mutations._withUnsafeGuaranteedRef {
        $0.apply(to: requestMap(mirror), arena: arena(mirror), context: mirrorContext(stream, mirror))
      }
    }
    changeHost(mirror, policy)
    tellOfMirror(stream, mirror)
    linkMirror(mirror, to: stream)
    beginInternal(mirror)
  }

  /// Texts live in the stream's arena, and the copy may outlive it.
  func copyHead(of stream: HTTPStreamRef, to mirror: HTTPStreamRef) {
    copyFields(from: requestMap(stream), to: requestMap(mirror))
  }

  /// Formats see the copy's headers and what is known of the client.
  private func mirrorContext(_ stream: HTTPStreamRef, _ mirror: HTTPStreamRef) -> FormatContext {
    let info = UnsafeMutableRawPointer(stream).advanced(by: Self.infoOffset).assumingMemoryBound(to: StreamInfo.self)
    return FormatContext(
      stream: UnsafePointer(info), requestHeaders: UnsafePointer(requestMap(mirror)),
      responseHeaders: UnsafePointer(responseMap(mirror)), responseTrailers: UnsafePointer(responseTrailerMap(mirror)),
      timeCache: http.timeCache, random: formatRandom)
  }

  private func changeHost(_ mirror: HTTPStreamRef, _ policy: UnsafeMutablePointer<MirrorPolicy>) {
    switch policy.pointee.host {
    case .unchanged: break
    case .literal(let text): mirror.pointee.request.set(.authority, mirror.pointee.request.copy(text.view))
    case .suffixed:
      guard let host = mirror.pointee.request.value(.authority) else { return }
      let suffix = ByteView("-shadow")
      let port = portStart(host)
      var text = ArenaText(mirror, capacity: host.count + suffix.count)
      text.put(host.prefix(port))
      text.put(suffix)
      text.put(host.dropFirst(port))
      mirror.pointee.request.set(.authority, text.view)
    }
  }

  /// Where the colon before a host's port is, or the host's end.
  private func portStart(_ host: ByteView) -> Int {
    var i = host.count
    while i > 0 {
      i -= 1
      // Colons inside brackets are of an IPv6 address.
      if host[i] == UInt8(ascii: "]") { break }
      if host[i] == UInt8(ascii: ":") { return i }
    }
    return host.count
  }

  /// What Envoy's requests of its own say: this proxy is one more hop, and its word is trusted.
  private func tellOfMirror(_ stream: HTTPStreamRef, _ mirror: HTTPStreamRef) {
    mirror.pointee.request.set(.envoyInternal, ByteView("true"))
    let room = mirror.pointee.arena.allocate(48)
    let own = ByteView(room, MachineAddress.shared.write(to: room))
    let name = ByteView(KnownHeader.xForwardedFor.name)
    if let before = mirror.pointee.request.joinedValue(name: name, known: .xForwardedFor), !before.isEmpty {
      var text = ArenaText(mirror, capacity: before.count + own.count + 1)
      text.put(before)
      text.put(ByteView(","))
      text.put(own)
      mirror.pointee.request.set(.xForwardedFor, text.view)
    } else {
      mirror.pointee.request.set(.xForwardedFor, own)
    }
    let timeout = stream.pointee.route.timeoutNanoseconds
    if timeout > 0, !stream.pointee.manager.pointee.suppressEnvoyHeaders {
      mirror.pointee.request.set(.envoyExpectedRqTimeoutMs, mirror.pointee.request.decimal(timeout / 1_000_000))
    }
  }

  // MARK: Bodies

  /// The request itself has been given to a host, or answered. Copies have not begun: this is the turn's work yet to come.
  func sendMirrors(_ stream: HTTPStreamRef) {
    if stream.pointee.mirrors.isEmpty { return }
    if stream.pointee.has(.isLocalReply) {
      // No host has got it: nothing is there to be compared with.
      dropMirrors(stream)
    } else if stream.pointee.upstream.requestEnded {
      mirrorData(stream, SegmentQueue(), endsStream: true)
    }
  }

  /// Body bytes on their way to the host, or the end of the request, go to the copies too.
  func mirrorData(_ stream: HTTPStreamRef, _ data: SegmentQueue, endsStream: Bool) {
    var next = stream.pointee.mirrors.first
    // Who has all of the request does without it from here on.
    if endsStream { stream.pointee.mirrors = InternalStreamList() }
    while let mirror = next {
      guard let exchange = internalExchange(mirror) else { return }
      next = exchange.pointee.next
      if endsStream {
        exchange.pointee.original = nil
        exchange.pointee.next = nil
        if stream.pointee.has(.hasRequestTrailers) { copyTrailers(of: stream, to: mirror) }
      }
      let held = heldBytes(mirror)
      if held > 0, held + data.byteCount > mirror.pointee.connection.pointee.outputLimit {
        abandonMirror(stream, mirror)
        continue
      }
      var copy = SegmentQueue()
      var segment = data.head
      while let current = segment {
        segments.copy(ByteView(current.pointee.base, current.pointee.count), to: &copy)
        segment = current.pointee.next
      }
      takeInternalBody(mirror, &copy, ends: endsStream)
    }
  }

  /// Bytes that the copy's host has not taken.
  private func heldBytes(_ mirror: HTTPStreamRef) -> Int {
    let waiting = mirror.pointee.upstream.waitingBody.byteCount
    guard let connection = mirror.pointee.upstream.connection, connection.pointee.role == .upstreamHTTP1 else {
      return waiting
    }
    return waiting + connection.pointee.output.byteCount
  }

  func copyTrailers(of stream: HTTPStreamRef, to mirror: HTTPStreamRef) {
    copyFields(from: requestTrailerMap(stream), to: requestTrailerMap(mirror))
    mirror.pointee.flags.insert(.hasRequestTrailers)
  }

  // MARK: Ends

  /// The copy's host is too slow for its share of memory.
  private func abandonMirror(_ stream: HTTPStreamRef, _ mirror: HTTPStreamRef) {
    if let stats = stream.pointee.upstream.cluster?.pointee.pointer.pointee.stats {
      slab.increment(stats.rqRetryAbandoned)
    }
    cancelInternal(mirror)
  }

  /// The request is over before it was whole: so are its copies.
  func dropMirrors(_ stream: HTTPStreamRef) {
    while let mirror = stream.pointee.mirrors.first { cancelInternal(mirror) }
  }

  private func linkMirror(_ mirror: HTTPStreamRef, to stream: HTTPStreamRef) {
    internalExchange(mirror)?.pointee.original = stream
    stream.pointee.mirrors.append(mirror)
  }

  /// The copy is over, perhaps before its original is whole.
  func unlinkMirror(_ mirror: HTTPStreamRef) {
    guard let exchange = internalExchange(mirror), let stream = exchange.pointee.original else { return }
    exchange.pointee.original = nil
    stream.pointee.mirrors.remove(mirror)
  }
}
