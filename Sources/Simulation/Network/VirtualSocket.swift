import Primitives

/// What a descriptor of the simulated kernel stands for.
final class VirtualSocket {
  enum Kind {
    /// Made, not connected.
    case fresh
    case stream(VirtualConnection)
    case listener(VirtualListener)
    case pipeReadEnd(KernelPipe)
    case pipeWriteEnd(KernelPipe)
  }

  let fd: Int32
  var kind: Kind
  /// In flight on this descriptor, oldest first.
  var operations: [Operation] = []
  /// Our direction was shut down.
  var isShutDown = false

  init(fd: Int32, kind: Kind) {
    self.fd = fd
    self.kind = kind
  }

  var connection: VirtualConnection? {
    if case .stream(let connection) = kind { connection } else { nil }
  }

  var pipe: KernelPipe? {
    switch kind {
    case .pipeReadEnd(let pipe), .pipeWriteEnd(let pipe): pipe
    case .fresh, .stream, .listener: nil
    }
  }

  var listener: VirtualListener? {
    if case .listener(let listener) = kind { listener } else { nil }
  }
}

/// A listening socket of the proxy: clients that have connected and were not accepted.
final class VirtualListener {
  let address: SocketAddress
  var waiting: [VirtualConnection] = []
  var isOpen = true
  /// A client has connected.
  var onClient: () -> Void = {}

  init(address: SocketAddress) { self.address = address }
}
