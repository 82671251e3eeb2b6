import HTTPCore
import Primitives

/// What a listener's access log will say of a connection, gathered while it lives; only there when the
/// listener has such a log.
struct ConnectionRecord {
  /// What filters of the chain read and wrote.
  var bytesReceived: UInt64 = 0
  var bytesSent: UInt64 = 0
  var flags: ResponseFlags = []
  var version = StreamInfo.ProtocolVersion.none
  /// Text that never goes away.
  var details = ByteView.empty
}
