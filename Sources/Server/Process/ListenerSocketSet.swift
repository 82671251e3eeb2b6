import CSystem
import ConfigCompiler
import Glibc
import Primitives
import Reactor

/// The listening sockets of the process: opened when a configuration first wants them, kept while
/// listeners with the same name and addresses do, one a worker so that the kernel spreads
/// connections (SO_REUSEPORT).
struct ListenerSocketSet: ListenerSockets {
  private struct Opened {
    var addresses: [SocketAddress]
    var options: ListenerSocketOptions
    var sockets: [[Int32]]
    var bound: [SocketAddress]
  }

  private let workerCount: Int
  private var opened: [String: Opened] = [:]
  /// Opened for a configuration that is not in force yet.
  private var staged: [String: Opened] = [:]

  init(workerCount: Int) { self.workerCount = workerCount }

  mutating func sockets(
    for name: String, addresses: [SocketAddress], options: ListenerSocketOptions
  ) throws(ListenerSocketError) -> (sockets: [[Int32]], bound: [SocketAddress]) {
    if let known = opened[name], known.addresses == addresses, known.options == options {
      return (known.sockets, known.bound)
    }
    var rows = [[Int32]](repeating: [], count: workerCount)
    var bound: [SocketAddress] = []
    for address in addresses {
      do {
        let (fds, actual) = try open(address, options)
        for worker in 0..<workerCount { rows[worker].append(fds[worker]) }
        bound.append(actual)
      } catch {
        for fd in rows.joined() { close(fd) }
        throw error
      }
    }
    staged[name] = Opened(addresses: addresses, options: options, sockets: rows, bound: bound)
    return (rows, bound)
  }

  /// Whether sockets were opened at an address where others are open: the kernel gives them a share of its connections.
  var takesOver: Bool {
    let known = Set(opened.values.flatMap(\.bound))
    return staged.values.contains { !known.isDisjoint(with: $0.bound) }
  }

  /// The configuration that asked is in force. Sockets of an earlier version belong to the workers,
  /// who close them when they let go.
  mutating func commit() {
    opened.merge(staged) { _, new in new }
    staged = [:]
  }

  /// The configuration that asked is refused: nobody may connect to what it opened.
  mutating func rollBack() {
    for entry in staged.values {
      for fd in entry.sockets.joined() { close(fd) }
    }
    staged = [:]
  }

  /// Forgets a listener that is gone; its sockets are the workers' to close.
  mutating func forget(_ name: String) { opened[name] = nil }

  private func open(_ address: SocketAddress, _ options: ListenerSocketOptions)
    throws(ListenerSocketError) -> ([Int32], SocketAddress)
  {
    var fds: [Int32] = []
    func fail(_ what: String) -> ListenerSocketError {
      let reason = String(cString: strerror(csystem_errno()))
      for fd in fds { close(fd) }
      return ListenerSocketError("cannot \(what) \(address): \(reason)")
    }
    if case .pipe(let path) = address, !path.hasPrefix("@") { unlinkStale(path) }
    let isShared = !options.reusePort || address.ip == nil
    var actual = address
    for index in 0..<workerCount {
      if isShared, let first = fds.first {
        // One socket that every worker accepts from.
        let copy = fcntl(first, F_DUPFD_CLOEXEC, 0)
        guard copy >= 0 else { throw fail("share the socket of") }
        fds.append(copy)
        continue
      }
      let type =
        Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
      let fd = socket(actual.family, type, 0)
      guard fd >= 0 else { throw fail("open a socket for") }
      fds.append(fd)
      if address.ip != nil {
        set(fd, SOL_SOCKET, SO_REUSEADDR, 1)
        if options.reusePort { set(fd, SOL_SOCKET, SO_REUSEPORT, 1) }
        // Accepted sockets inherit it.
        set(fd, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
        if case .ip(let ip, _) = address, ip.family == .v6 { set(fd, Int32(IPPROTO_IPV6), IPV6_V6ONLY, options.acceptsIPv4 ? 0 : 1) }
      }
      guard let target = KernelAddress(actual) else {
        throw fail("bind: path too long for a socket:")
      }
      let code = target.withPointer {
        bind(fd, $0.assumingMemoryBound(to: sockaddr.self), socklen_t(target.length))
      }
      guard code == 0 else { throw fail("bind") }
      guard listen(fd, Int32(clamping: options.backlog ?? 4096)) == 0 else {
        throw fail("listen on")
      }
      if index == 0, actual.port == 0, let known = Self.boundAddress(fd) { actual = known }
      if case .pipe(let path) = address, options.pipeMode != 0, !path.hasPrefix("@") {
        chmod(path, mode_t(options.pipeMode))
      }
    }
    return (fds, actual)
  }

  private func set(_ fd: Int32, _ level: Int32, _ name: Int32, _ value: Int32) {
    var value = value
    setsockopt(fd, level, name, &value, socklen_t(MemoryLayout<Int32>.size))
  }

  /// A socket file left by a process that is gone would make bind fail.
  private func unlinkStale(_ path: String) {
    var status = stat()
    guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK else { return }
    unlink(path)
  }

  private static func boundAddress(_ fd: Int32) -> SocketAddress? {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    return withUnsafeMutablePointer(to: &storage) { raw in
      raw.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        getsockname(fd, $0, &length) == 0
          ? SocketAddress(UnsafeRawPointer(raw), length: Int(length)) : nil
      }
    }
  }
}
