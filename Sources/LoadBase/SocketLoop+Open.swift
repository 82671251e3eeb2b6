import Glibc
public import Reactor

extension SocketLoop {
  /// Starts a connection; ``connected(_:errno:)`` says what came of it.
  ///
  /// - Parameters:
  ///   - address: Must stay where it is until the turn's end.
  ///   - noDelay: Send small segments at once.
  /// - Returns: nil when the process has no descriptor to give; errno in `failure`.
  public final func connect(
    to address: UnsafeMutablePointer<KernelAddress>, family: Int32, noDelay: Bool,
    failure: inout Int32
  ) -> SocketRef? {
    let fd = kernel.makeSocket(family: family)
    guard fd >= 0 else {
      failure = -fd
      return nil
    }
    guard let socket = table.allocate() else {
      kernel.close(fd)
      failure = EMFILE
      return nil
    }
    if noDelay, family != AF_UNIX {
      _ = kernel.setOption(fd, level: Int32(IPPROTO_TCP), name: TCP_NODELAY, value: 1)
    }
    socket.pointee.fd = fd
    socket.pointee.flags = .connecting
    socket.pointee.operations = 1
    // The address is the structure's first member.
    ring.connect(
      fd, address: UnsafeRawPointer(address), length: address.pointee.length,
      token: socket.pointee.token(.connect))
    return socket
  }

  func onConnected(_ socket: SocketRef, _ result: Int32) {
    socket.pointee.operations &-= 1
    if socket.pointee.has(.closed) {
      finishClose(socket)
      return
    }
    socket.pointee.flags.remove(.connecting)
    if result == 0 {
      startReading(socket)
      if !socket.pointee.output.isEmpty { markDirty(socket) }
    }
    connected(socket, errno: -result)
  }

  /// Accepts from a listening socket until the loop ends.
  public final func listen(_ listener: Int32) {
    ring.accept(
      listener, token: Token(.accept, slot: UInt32(bitPattern: listener), generation: 0))
  }

  func onAccept(_ completion: Completion) {
    let listener = Int32(bitPattern: completion.token.slot)
    if completion.result >= 0 {
      if let socket = table.allocate() {
        socket.pointee.fd = completion.result
        accepted(socket)
      } else {
        kernel.close(completion.result)
      }
    }
    if completion.hasMore { return }
    switch -completion.result {
    case EMFILE, ENFILE, ENOBUFS, ENOMEM:
      // Descriptors come back as clients go; until then the kernel's queue holds new ones.
      pausedListener = listener
      acceptAgainAt = now &+ 10_000_000
    case ECANCELED, EBADF, EINVAL: break
    default: listen(listener)
    }
  }

  func resumeAccepting() {
    guard pausedListener >= 0, now >= acceptAgainAt else { return }
    listen(pausedListener)
    pausedListener = -1
  }
}
