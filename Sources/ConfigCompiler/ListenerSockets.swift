import Primitives

/// How the sockets of a listener are opened.
public struct ListenerSocketOptions: Sendable, Hashable {
  /// One socket a worker and address (`enable_reuse_port`); otherwise one for all workers.
  public var reusePort = true
  /// Length of the accept queue; nil for the system's maximum.
  public var backlog: UInt32?
  /// Permissions of a pipe's file; 0 leaves them to the umask.
  public var pipeMode: UInt32 = 0
  /// Whether an IPv6 socket takes IPv4 connections too (`ipv4_compat`).
  public var acceptsIPv4 = false

  public init() {}
}

/// Why sockets could not be opened, in one line without a full stop.
public struct ListenerSocketError: Error, Sendable, CustomStringConvertible {
  public let description: String
  public init(_ description: String) { self.description = description }
}

/// Opens listening sockets for the compiler. It is asked only when everything else in the
/// configuration is valid, and only for listeners that are new or changed.
public protocol ListenerSockets {
  /// The sockets of a listener. The same name, addresses and options as before give the same
  /// sockets back, so a port that the kernel chose stays.
  ///
  /// - Returns: Descriptors by worker, then by address; and the addresses with the ports that were
  ///   bound, in the order of `addresses`.
  mutating func sockets(
    for name: String, addresses: [SocketAddress], options: ListenerSocketOptions
  ) throws(ListenerSocketError) -> (sockets: [[Int32]], bound: [SocketAddress])
}

/// Opens nothing: for checking a configuration.
public struct DryListenerSockets: ListenerSockets {
  public init() {}

  public mutating func sockets(
    for name: String, addresses: [SocketAddress], options: ListenerSocketOptions
  ) throws(ListenerSocketError) -> (sockets: [[Int32]], bound: [SocketAddress]) {
    ([], addresses)
  }
}
