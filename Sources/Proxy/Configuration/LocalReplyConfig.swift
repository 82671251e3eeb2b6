import Format
import Primitives

/// `local_reply_config`: what replies that the proxy makes itself look like.
public struct LocalReplyConfig {
  public struct Mapper {
    public var filter: AccessLogFilter
    public var status: UInt16?
    public var body: FrozenText?
    public var bodyFormat: Formatter?
    public var contentType: FrozenText?
    public var headers: HeaderMutations?

    public init(filter: AccessLogFilter) { self.filter = filter }
  }

  /// The first that accepts applies.
  public var mappers: [Mapper]
  /// For replies that no mapper has formatted.
  public var bodyFormat: Formatter?
  public var contentType: FrozenText?

  public init(mappers: [Mapper], bodyFormat: Formatter?, contentType: FrozenText?) {
    self.mappers = mappers
    self.bodyFormat = bodyFormat
    self.contentType = contentType
  }
}
