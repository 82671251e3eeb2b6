import HTTPCore
import Primitives
import Reactor

/// One proxied TCP connection: both sides and what its log record will say.
struct TCPSession {
  let config: UnsafeMutablePointer<TCPProxyConfig>
  let generation: UnsafeMutablePointer<GenerationRuntime>
  var info = StreamInfo()
  var downstream: ConnectionRef?
  var upstream: ConnectionRef?
  var cluster: ClusterRef?
  /// What is wanted of hosts, in clusters with subsets; `config` keeps it.
  var match: Unmanaged<SubsetMatch>?
  /// Host named in the record; counted as a user of it.
  var host: HostRef?
  var connectAttempts: UInt32 = 0
  /// What hosts are chosen by in a cluster that hashes; nil: a random number.
  var hash: UInt64?
  /// What `info` says of a host that could not be reached.
  var failureText: UnsafeMutablePointer<TransportFailureText>?
  /// What `info` says of TLS to the host, and of failures; made for the first of them.
  var arena: Arena?
  var isConnected = false
  /// It is one of those that wait for a connection, in the cluster's numbers.
  var isWaiting = false
  var lastActivityAt: UInt64

  init(
    config: UnsafeMutablePointer<TCPProxyConfig>,
    generation: UnsafeMutablePointer<GenerationRuntime>, downstream: ConnectionRef, now: UInt64
  ) {
    self.config = config
    self.generation = generation
    self.downstream = downstream
    self.lastActivityAt = now
  }
}

typealias TCPSessionRef = UnsafeMutablePointer<TCPSession>
