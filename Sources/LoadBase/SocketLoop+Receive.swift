import Glibc
import Reactor

extension SocketLoop {
  /// Lets bytes come.
  public final func startReading(_ socket: SocketRef) {
    socket.pointee.flags.insert(.wantsRead)
    armReceive(socket)
    if socket.pointee.has(.isTLS) { tlsHold(socket) }
  }

  /// Holds the source back. What is on its way already still comes.
  public final func stopReading(_ socket: SocketRef) {
    guard socket.pointee.has(.wantsRead) else { return }
    socket.pointee.flags.remove(.wantsRead)
    guard socket.pointee.has(.receiveArmed), !socket.pointee.has(.receiveCancelling) else { return }
    socket.pointee.flags.insert(.receiveCancelling)
    ring.cancel(socket.pointee.token(.receive), token: Token(.ignore, slot: 0, generation: 0))
  }

  func armReceive(_ socket: SocketRef) {
    if !socket.pointee.flags.isDisjoint(with: [.receiveArmed, .readEnded, .closed, .isStarved]) {
      return
    }
    socket.pointee.flags.insert(.receiveArmed)
    socket.pointee.operations &+= 1
    ring.receive(
      socket.pointee.fd, group: .small, isMultishot: true, pollFirst: false,
      token: socket.pointee.token(.receive))
  }

  func onReceive(_ socket: SocketRef, _ completion: Completion) {
    if !completion.hasMore {
      socket.pointee.flags.remove([.receiveArmed, .receiveCancelling])
      socket.pointee.operations &-= 1
    }
    if socket.pointee.has(.closed) {
      if let buffer = completion.bufferID { segments.returnUnused(.small, buffer: buffer) }
      finishClose(socket)
      return
    }
    let result = completion.result
    if result > 0, let buffer = completion.bufferID {
      let segment = segments.received(.small, buffer: buffer, count: Int(result))
      if socket.pointee.has(.isTLS) { tlsReceived(socket, segment) } else { received(socket, segment) }
      if !completion.hasMore, socket.pointee.has(.wantsRead) { armReceive(socket) }
      return
    }
    if let buffer = completion.bufferID { segments.returnUnused(.small, buffer: buffer) }
    switch -result {
    case 0:
      socket.pointee.flags.insert(.readEnded)
      if socket.pointee.has(.isTLS) { tlsSocketEnded(socket, errno: 0) } else { readEnded(socket) }
    case ECANCELED, EINTR, EAGAIN:
      if !completion.hasMore, socket.pointee.has(.wantsRead) { armReceive(socket) }
    case ENOBUFS:
      if !completion.hasMore, socket.pointee.has(.wantsRead) { starve(socket) }
    default:
      socket.pointee.flags.insert(.readEnded)
      if socket.pointee.has(.isTLS) { tlsSocketEnded(socket, errno: -result) } else { failed(socket, errno: -result) }
    }
  }

  private func starve(_ socket: SocketRef) {
    guard !socket.pointee.has(.isStarved) else { return }
    socket.pointee.flags.insert(.isStarved)
    socket.pointee.nextStarved = starved
    starved = socket
  }

  /// Buffers are back by the end of a turn, unless output holds them.
  func armStarved() {
    guard starved != nil, segments.availableBuffers > 1 else { return }
    var next = starved
    starved = nil
    while let socket = next {
      next = socket.pointee.nextStarved
      socket.pointee.nextStarved = nil
      socket.pointee.flags.remove(.isStarved)
      if socket.pointee.has(.closed) {
        finishClose(socket)
      } else if socket.pointee.has(.wantsRead) {
        armReceive(socket)
      }
    }
  }
}
