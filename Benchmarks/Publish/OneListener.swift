import ConfigCompiler
import Glibc
import Primitives
import Reactor

/// Opens a socket for each address of a listener, for one worker.
struct OneListener: ListenerSockets {
  mutating func sockets(
    for name: String, addresses: [SocketAddress], options: ListenerSocketOptions
  ) throws(ListenerSocketError) -> (sockets: [[Int32]], bound: [SocketAddress]) {
    var row: [Int32] = []
    for address in addresses {
      let type =
        Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
      let fd = socket(address.family, type, 0)
      var one: Int32 = 1
      setsockopt(fd, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
      guard fd >= 0, let target = KernelAddress(address),
        target.withPointer({
          bind(fd, $0.assumingMemoryBound(to: sockaddr.self), socklen_t(target.length))
        }) == 0, listen(fd, 4096) == 0
      else { throw ListenerSocketError("cannot listen on \(address)") }
      row.append(fd)
    }
    return ([row], addresses)
  }
}
