import Format
import Primitives

/// Rewrites the host before a virtual host is looked up, as the HTTP connection manager's options
/// say. A trivial value; results are views into the given host, or into the arena.
public struct HostNormalization: Sendable, BitwiseCopyable {
  public enum PortStripping: UInt8, Sendable, BitwiseCopyable {
    case none
    /// Only the port the request came in on.
    case matching
    case any
  }

  public var port: PortStripping
  public var stripsTrailingDot: Bool

  public init(port: PortStripping = .none, stripsTrailingDot: Bool = false) {
    self.port = port
    self.stripsTrailingDot = stripsTrailingDot
  }

  @inlinable
  public var isIdle: Bool { port == .none && !stripsTrailingDot }

  /// - Parameter localPort: The listener's port.
  public func apply(_ host: ByteView, localPort: UInt16, arena: inout Arena) -> ByteView {
    if isIdle { return host }
    var name = host
    var suffix = ByteView.empty
    if let start = host.portStart {
      name = host.prefix(start)
      suffix = host.dropFirst(start)
    }
    if stripsTrailingDot, name.count > 0, name[name.count - 1] == UInt8(ascii: ".") {
      name = name.prefix(name.count - 1)
    }
    switch port {
    case .none: break
    case .any: suffix = .empty
    case .matching:
      if suffix.count > 1, suffix.dropFirst(1).decimal(limit: 65_535) == UInt64(localPort) {
        suffix = .empty
      }
    }
    if suffix.isEmpty { return name }
    if name.count + suffix.count == host.count { return host }
    let whole = arena.allocate(name.count + suffix.count)
    whole.update(from: name.base, count: name.count)
    (whole + name.count).update(from: suffix.base, count: suffix.count)
    return ByteView(whole, name.count + suffix.count)
  }
}
