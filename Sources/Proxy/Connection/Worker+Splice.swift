import Glibc
import Primitives
import Reactor
import Stats

/// Large bodies go from socket to socket inside the kernel. The path begins when a body has shown
/// or announced its size and nobody in between wants its bytes, and ends where the body ends.
extension Worker {
  /// Announced bodies of which less is left take the ordinary way.
  static let spliceBytesMin: UInt64 = 96 * 1024

  /// Sends what `source` receives from now on into `target`, behind its present output. Does nothing
  /// when that cannot be now: the bytes go on as before.
  func beginSplice(from source: ConnectionRef, to target: ConnectionRef) {
    guard source.pointee.feeds == nil, target.pointee.fedBy == nil,
      source.pointee.input.head == nil, !source.pointee.has(.isTLS), !target.pointee.has(.isTLS),
      !source.pointee.has(.closed), !source.pointee.has(.readEnded), !target.pointee.has(.closed),
      let pipe = pipes.take()
    else { return }
    let splice = SpliceRef.allocate(capacity: 1)
    splice.initialize(to: Splice(pipe: pipe, source: source, target: target))
    source.pointee.feeds = splice
    target.pointee.fedBy = splice
    // The receive in flight must end first; what it still brings takes the ordinary way, and may
    // be everything.
    if source.pointee.has(.receiveArmed) {
      cancelReceive(source)
    } else if source.pointee.has(.wantsRead) {
      armReceive(source)
    }
  }

  /// Instead of a receive: looks again when there is something to take and a place for it.
  func awaitSpliceable(_ splice: SpliceRef, _ source: ConnectionRef) {
    // Otherwise the target says when it has sent everything.
    guard !splice.pointee.target.pointee.hasUnsent, source.pointee.input.head == nil else { return }
    source.pointee.flags.insert(.receiveArmed)
    source.pointee.inFlight &+= 1
    ring.awaitReadable(source.pointee.fd, token: source.pointee.token(.readable))
  }

  func onReadable(_ source: ConnectionRef) {
    source.pointee.flags.remove([.receiveArmed, .receiveCancelling])
    source.pointee.inFlight &-= 1
    if source.pointee.has(.closed) {
      finishClose(source)
      return
    }
    guard source.pointee.has(.wantsRead) else { return }
    if let splice = source.pointee.feeds, !splice.pointee.target.pointee.hasUnsent, source.pointee.input.head == nil {
      fill(splice, source)
    }
    if source.pointee.has(.wantsRead) { armReceive(source) }
  }

  // MARK: Source to pipe

  private func fill(_ splice: SpliceRef, _ source: ConnectionRef) {
    let target = splice.pointee.target
    let wanted = min(
      spliceableBytes(source), UInt64(splice.pointee.pipe.capacityBytes),
      UInt64(max(1, target.pointee.outputLimit)))
    precondition(wanted > 0, "a splice outlived its body")
    let count = kernel.splice(
      from: source.pointee.fd, to: splice.pointee.pipe.writeEnd, count: Int(wanted))
    switch count {
    case 1...:
      splice.pointee.heldBytes = count
      source.pointee.lastActivityAt = now
      slab.add(environment.stats.splicedBytes, UInt64(count))
      spliced(source, count)
      // The exchange may be over for the source; the target still gets what is in the pipe.
      if !target.pointee.has(.closed), let splice = target.pointee.fedBy { empty(splice) }
    case 0:
      source.pointee.flags.insert(.readEnded)
      endSplice(splice)
      readEnded(source)
    case -Int(EAGAIN), -Int(EINTR): break
    case -Int(EINVAL), -Int(ENOSYS), -Int(EPERM), -Int(ENOMEM):
      // Not between these two, or not now: a receive will do, or say what is wrong.
      endSplice(splice)
    default:
      source.pointee.flags.insert(.readEnded)
      endSplice(splice)
      connectionFailed(source, errno: Int32(clamping: -count))
    }
  }

  /// How many bytes may pass before their owner wants to look again; `.max` = until the source ends.
  private func spliceableBytes(_ source: ConnectionRef) -> UInt64 {
    switch source.pointee.role {
    case .upstreamHTTP1, .upstreamTunnel: upstreamHTTP1Spliceable(source)
    default: .max
    }
  }

  /// Tells the owner of the bytes that some have passed.
  private func spliced(_ source: ConnectionRef, _ count: Int) {
    countReceived(source, count)
    switch source.pointee.role {
    case .upstreamHTTP1, .upstreamTunnel: upstreamHTTP1Spliced(source, count)
    case .tcp, .upstreamTCP: tcpSpliced(source, count)
    case .http1, .httpSniff, .http2, .upstreamHTTP2, .listenerFilter, .tlsHandshake, .closing, .internalClient, .probe, .free:
      break
    }
  }

  /// Small messages in a row: back to the receive that waits by itself.
  func endSpliceIfSmall(_ source: ConnectionRef, _ count: Int) {
    guard count <= segments.bufferSize(.small) else {
      source.pointee.fullReceives = 0
      return
    }
    source.pointee.fullReceives &+= 1
    guard source.pointee.fullReceives == 8, let splice = source.pointee.feeds else { return }
    source.pointee.flags.remove(.isBulk)
    source.pointee.fullReceives = 0
    releaseSource(splice)
  }

  // MARK: Pipe to target

  /// The pipe's content goes to the target as far as there is room.
  private func empty(_ splice: SpliceRef) {
    let target = splice.pointee.target
    while splice.pointee.heldBytes > 0 {
      let count = kernel.splice(
        from: splice.pointee.pipe.readEnd, to: target.pointee.fd, count: splice.pointee.heldBytes)
      switch count {
      case 1...:
        splice.pointee.heldBytes -= count
        target.pointee.lastActivityAt = now
        countSent(target, count)
      case 0, -Int(EAGAIN), -Int(EINTR):
        noteFlow(splice, isPaused: true)
        target.pointee.inFlight &+= 1
        ring.awaitWritable(target.pointee.fd, token: target.pointee.token(.writable))
        return
      default:
        connectionFailed(target, errno: Int32(clamping: -count))
        return
      }
    }
    noteFlow(splice, isPaused: false)
    if splice.pointee.source == nil { endSplice(splice) }
    // Output queued behind it, and the source, go on at the end of the turn.
    markDirty(target)
  }

  func onWritable(_ target: ConnectionRef) {
    target.pointee.inFlight &-= 1
    if target.pointee.has(.closed) {
      finishClose(target)
      return
    }
    guard let splice = target.pointee.fedBy else { return }
    if target.pointee.role == .http1, let stream = httpStream(target) {
      stream.pointee.lastActivityAt = now
    }
    empty(splice)
  }

  /// A source that has to wait for its target shows in the statistics, whichever way its bytes go.
  private func noteFlow(_ splice: SpliceRef, isPaused: Bool) {
    guard splice.pointee.isPaused != isPaused else { return }
    splice.pointee.isPaused = isPaused
    guard let source = splice.pointee.source else { return }
    if let host = source.pointee.host {
      let stats = host.pointee.cluster.pointee.pointer.pointee.stats
      slab.increment(isPaused ? stats.flowPausedReading : stats.flowResumedReading)
    } else if source.pointee.role == .tcp {
      tcpNoteFlow(source, isPaused: isPaused)
    }
  }

  // MARK: The end

  /// Everything has been taken from the source, which has other things to do now.
  func releaseSource(_ splice: SpliceRef) {
    guard let source = splice.pointee.source else { return }
    source.pointee.feeds = nil
    splice.pointee.source = nil
    if splice.pointee.heldBytes == 0 { endSplice(splice) }
  }

  /// A connection closes.
  func leaveSplices(_ connection: ConnectionRef) {
    // What has been taken is still delivered.
    if let splice = connection.pointee.feeds { releaseSource(splice) }
    if let splice = connection.pointee.fedBy { endSplice(splice) }
  }

  private func endSplice(_ splice: SpliceRef) {
    splice.pointee.source?.pointee.feeds = nil
    splice.pointee.target.pointee.fedBy = nil
    pipes.give(splice.pointee.pipe, isEmpty: splice.pointee.heldBytes == 0)
    splice.deinitialize(count: 1)
    splice.deallocate()
  }
}
