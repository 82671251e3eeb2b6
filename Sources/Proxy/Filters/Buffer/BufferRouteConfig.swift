/// A route's own settings of ``BufferFilter`` (`BufferPerRoute` of buffer.proto).
public final class BufferRouteConfig: Sendable {
  /// Nil: requests of the route are not buffered.
  let maxRequestBytes: UInt32?

  /// - Parameter maxRequestBytes: Nil stands for `disabled: true`.
  public init(maxRequestBytes: UInt32?) { self.maxRequestBytes = maxRequestBytes }
}
