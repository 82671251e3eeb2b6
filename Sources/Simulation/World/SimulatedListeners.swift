import ConfigCompiler
import Primitives

/// Opens the proxy's listening sockets in the simulated network.
struct SimulatedListeners: ListenerSockets {
  private let kernel: SimulatedKernel
  private var opened: [String: (addresses: [SocketAddress], rows: [[Int32]])] = [:]

  init(kernel: SimulatedKernel) { self.kernel = kernel }

  mutating func sockets(
    for name: String, addresses: [SocketAddress], options: ListenerSocketOptions
  ) throws(ListenerSocketError) -> (sockets: [[Int32]], bound: [SocketAddress]) {
    if let known = opened[name], known.addresses == addresses { return (known.rows, addresses) }
    let row = addresses.map { address -> Int32 in
      let listener = VirtualListener(address: address)
      kernel.network.open(listener)
      return kernel.makeDescriptor(.listener(listener)).fd
    }
    opened[name] = (addresses, [row])
    return ([row], addresses)
  }

  /// The worker closes the sockets of a listener that is gone.
  mutating func forget(_ name: String) { opened[name] = nil }
}
