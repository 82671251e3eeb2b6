import Format
import HTTPCore
import Primitives
import RegularExpressions

/// A regular expression with its checked replacement; owned by the table.
public struct RegexRewrite: BitwiseCopyable, @unchecked Sendable {
  let regex: RegexHandle
  let substitution: ByteView

  func apply(_ text: ByteView, _ arena: inout Arena) -> ByteView {
    regex.replacingAll(in: text, with: substitution, arena: &arena)
  }
}

/// One compiled route: what to do with a request that matched. Trivial; valid as long as its table.
public struct RouteEntry: BitwiseCopyable, @unchecked Sendable {
  // Sendable: points to memory that is read-only after configuration.
  public enum Kind: UInt8, Sendable, BitwiseCopyable { case forward, redirect, directResponse }

  public enum Target: BitwiseCopyable, @unchecked Sendable {
    case cluster(UInt32)
    case clusterHeader(name: ByteView, known: KnownHeader)
    /// `first` and `count` within the table's weighted clusters.
    case weighted(first: UInt32, count: UInt32, totalWeight: UInt64)
  }

  enum PathRewrite: BitwiseCopyable {
    case none
    case prefix(ByteView)
    case regex(RegexRewrite)
  }

  public enum HostRewrite: BitwiseCopyable, @unchecked Sendable {
    case none
    case literal(ByteView)
    case header(name: ByteView, known: KnownHeader)
    case pathRegex(RegexRewrite)
    /// Known only when an upstream host is chosen.
    case automatic
  }

  public internal(set) var kind: Kind
  public internal(set) var name: ByteView
  public internal(set) var statPrefix: ByteView
  public internal(set) var virtualHost: UInt32
  public internal(set) var requestBodyBufferLimitBytes: UInt64?

  // forward
  public internal(set) var target: Target = .cluster(0)
  /// Weighted: the request header whose number selects, empty for none.
  public internal(set) var selectionHeader = ByteView.empty
  public internal(set) var selectionHeaderKnown = KnownHeader.other
  /// Weighted: the hash of the request selects.
  public internal(set) var selectsByHash = false
  /// Nil: the default.
  public internal(set) var timeoutMilliseconds: UInt64?
  /// Nil: inherited; 0: none.
  public internal(set) var idleTimeoutMilliseconds: UInt64?
  /// Nil: inherited; 0: none.
  public internal(set) var maxStreamDurationMilliseconds: UInt64?
  /// Nil: a request's `grpc-timeout` does not count; 0: without a limit.
  public internal(set) var grpcTimeoutMaxMilliseconds: UInt64?
  public internal(set) var grpcTimeoutOffsetMilliseconds: UInt64 = 0
  /// It is the time to a whole response (`max_grpc_timeout`), else that of the whole stream.
  public internal(set) var grpcTimeoutIsTimeout = false
  public internal(set) var priority = ForwardSpec.Priority.normal
  public internal(set) var hostRewrite = HostRewrite.none
  public internal(set) var appendsXForwardedHost = false
  public internal(set) var clusterNotFoundStatus: UInt16 = 503
  /// Index into the caller's own list of what the route says beyond its target.
  public internal(set) var policySlot: UInt32?
  var upgrades: UnsafePointer<UpgradeRule>?
  var upgradeCount: Int32 = 0
  /// CONNECT ends here: its bytes go to the host over TCP.
  public internal(set) var terminatesConnect = false
  public internal(set) var connectTakesPost = false
  /// The version of the PROXY protocol whose header comes first; 0: none.
  public internal(set) var connectProxyProtocol: UInt8 = 0

  // directResponse, redirect
  public internal(set) var status: UInt16 = 0
  public internal(set) var body = ByteView.empty

  // redirect
  var redirectScheme = ByteView.empty
  var redirectHost = ByteView.empty
  /// `:port`
  var redirectPort = ByteView.empty
  var redirectPath = ByteView.empty
  var stripsQuery = false

  var pathRewrite = PathRewrite.none
  /// How many bytes of the path the match covers: of a prefix its length; -1 the whole path.
  var matchedPathCount = -1

  var requestMutations = LevelRange()
  var responseMutations = LevelRange()
  var filterConfigs = LevelRange()

  /// A run within one of the table's flat lists.
  struct LevelRange: BitwiseCopyable {
    var first: Int32 = 0
    var count: Int32 = 0
  }

  /// What the route says of an upgrade to `type`; nil when it says nothing.
  public func upgradeIsEnabled(_ type: ByteView) -> Bool? {
    guard let upgrades else { return nil }
    for i in 0..<Int(upgradeCount) where upgrades[i].type.equalsIgnoringCase(type) { return upgrades[i].isEnabled }
    return nil
  }

  public var rewritesPath: Bool {
    if case .none = pathRewrite { false } else { true }
  }
}

/// Whether requests may switch to a protocol.
struct UpgradeRule: BitwiseCopyable {
  var type: ByteView
  var isEnabled: Bool
}

/// One cluster of a weighted route.
public struct WeightedCluster: BitwiseCopyable, @unchecked Sendable {
  public internal(set) var cluster: UInt32
  /// Sum of the weights up to and with this one.
  public internal(set) var weightEnd: UInt64
  /// Empty: none.
  public internal(set) var hostRewriteLiteral: ByteView
  var requestMutations: RouteEntry.LevelRange
  var responseMutations: RouteEntry.LevelRange
  var filterConfigs: RouteEntry.LevelRange
}

/// One compiled virtual host.
public struct VirtualHostEntry: BitwiseCopyable, @unchecked Sendable {
  public internal(set) var name: ByteView
  public internal(set) var requireTLS: VirtualHostSpec.TLSRequirement
  public internal(set) var includesRequestAttemptCount: Bool
  public internal(set) var includesAttemptCountInResponse: Bool
  /// Its virtual clusters within the table's list, the catch-all not counted.
  public internal(set) var firstVirtualCluster: UInt32
  public internal(set) var virtualClusterCount: UInt32
  var index: RouteIndex
}

struct VirtualClusterEntry: BitwiseCopyable {
  var name: ByteView
  var headers: UnsafePointer<HeaderMatcher>
  var headerCount: Int
}

/// A filter's configuration for a route, by the table's number of the filter's name.
struct FilterConfigEntry: BitwiseCopyable {
  var filter: UInt32
  var slot: UInt32
}
