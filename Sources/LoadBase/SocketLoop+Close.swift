import Glibc
import Reactor

extension SocketLoop {
  /// Ends a connection at once; nothing more is reported of it.
  public final func close(_ socket: SocketRef) {
    guard !socket.pointee.has(.closed) else { return }
    if socket.pointee.has(.isTLS) { tlsSayGoodbye(socket) }
    bury(socket)
  }

  private func bury(_ socket: SocketRef) {
    socket.pointee.flags.insert(.closed)
    socket.pointee.flags.remove(.wantsRead)
    socket.pointee.owner = nil
    timers.cancel(Self.timer(of: socket))
    if socket.pointee.operations > 0 {
      ring.cancelAll(socket.pointee.fd, token: Token(.ignore, slot: 0, generation: 0))
    }
    finishClose(socket)
  }

  /// The same with a reset instead of an orderly end.
  public final func reset(_ socket: SocketRef) {
    guard !socket.pointee.has(.closed) else { return }
    var option = linger(l_onoff: 1, l_linger: 0)
    setsockopt(
      socket.pointee.fd, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
    bury(socket)
  }

  /// Buries the socket when nothing is in flight and no list holds it. Its slot is freed at the end
  /// of the turn: whoever handles an event may look at it until then.
  func finishClose(_ socket: SocketRef) {
    guard socket.pointee.has(.closed), socket.pointee.operations == 0,
      socket.pointee.flags.isDisjoint(with: [.isDirty, .isStarved, .isHeld, .isBuried])
    else { return }
    socket.pointee.flags.insert(.isBuried)
    graveyard.append(socket)
  }

  func freeClosed() {
    while let socket = graveyard.popLast() {
      segments.releaseAll(&socket.pointee.output)
      freeTLS(socket)
      ring.close(socket.pointee.fd, token: Token(.ignore, slot: 0, generation: 0))
      table.free(socket)
    }
  }
}
