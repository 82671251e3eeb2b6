import Primitives
import Reactor

extension SocketLoop {
  /// The socket's output is sent at the end of the turn, in one operation.
  @inline(__always)
  public final func markDirty(_ socket: SocketRef) {
    guard !socket.pointee.has(.isDirty) else { return }
    socket.pointee.flags.insert(.isDirty)
    socket.pointee.nextDirty = dirty
    dirty = socket
  }

  func flushDirty() {
    var next = dirty
    dirty = nil
    while let socket = next {
      next = socket.pointee.nextDirty
      socket.pointee.nextDirty = nil
      socket.pointee.flags.remove(.isDirty)
      if socket.pointee.has(.closed) {
        finishClose(socket)
      } else {
        flush(socket)
      }
    }
  }

  private func flush(_ socket: SocketRef) {
    if !socket.pointee.flags.isDisjoint(with: [.sendInFlight, .connecting, .isTLS]) {
      if socket.pointee.flags.isDisjoint(with: [.sendInFlight, .connecting]) { tlsFlush(socket) }
      return
    }
    guard let head = socket.pointee.output.head, !socket.pointee.output.isEmpty else {
      if socket.pointee.has(.closeAfterFlush) { close(socket) }
      return
    }
    send(socket, socket.pointee.output, head)
  }

  /// Sends the beginning of a queue, whose first segment is `head`, in one operation.
  @inline(__always)
  func send(_ socket: SocketRef, _ queue: SegmentQueue, _ head: SegmentRef) {
    socket.pointee.flags.insert(.sendInFlight)
    socket.pointee.operations &+= 1
    let token = socket.pointee.token(.send)
    if head.pointee.next != nil, let header = message.make(queue) {
      ring.send(socket.pointee.fd, message: header, token: token)
    } else {
      ring.send(socket.pointee.fd, ByteView(head.pointee.base, head.pointee.count), token: token)
    }
  }

  func onSent(_ socket: SocketRef, _ result: Int32) {
    socket.pointee.flags.remove(.sendInFlight)
    socket.pointee.operations &-= 1
    if socket.pointee.has(.closed) {
      finishClose(socket)
      return
    }
    guard result >= 0 else {
      if socket.pointee.has(.handshaking) {
        tlsSocketEnded(socket, errno: -result)
      } else {
        failed(socket, errno: -result)
      }
      return
    }
    if socket.pointee.has(.isTLS) {
      tlsSent(socket, Int(result))
    } else {
      segments.drop(Int(result), from: &socket.pointee.output)
      if !socket.pointee.output.isEmpty || socket.pointee.has(.closeAfterFlush) { markDirty(socket) }
    }
    sent(socket, count: Int(result))
  }

  /// Closes when everything queued is out.
  public final func closeAfterFlush(_ socket: SocketRef) {
    socket.pointee.flags.insert(.closeAfterFlush)
    markDirty(socket)
  }
}
