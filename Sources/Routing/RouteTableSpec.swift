import Format

/// A route configuration in plain Swift, ready to compile. Field meanings are those of Envoy's
/// RouteConfiguration (config/route/v3/route.proto) unless said otherwise.
public struct RouteTableSpec: Sendable {
  public var name = ""
  public var virtualHosts: [VirtualHostSpec] = []
  public var ignoresPortInHost = false
  public var requestMutations = HeaderMutationSpec()
  public var responseMutations = HeaderMutationSpec()
  public var mostSpecificHeaderMutationsWins = false
  public var directResponseBodyBytesMax = 4096
  public var filterConfigs: [FilterConfigSpec] = []
  /// RE2 program size above which an expression is refused; nil sets no limit.
  public var regexProgramSizeMax: Int?

  public init() {}
}

/// A filter's configuration at one level; `slot` is an index into the caller's own list.
public struct FilterConfigSpec: Sendable {
  public var filterName: String
  public var slot: UInt32

  public init(filterName: String, slot: UInt32) {
    self.filterName = filterName
    self.slot = slot
  }
}

public struct VirtualHostSpec: Sendable {
  public enum TLSRequirement: UInt8, Sendable, BitwiseCopyable { case none, externalOnly, all }

  public var name: String
  public var domains: [String]
  public var requireTLS = TLSRequirement.none
  public var routes: [RouteSpec] = []
  public var requestMutations = HeaderMutationSpec()
  public var responseMutations = HeaderMutationSpec()
  public var virtualClusters: [VirtualClusterSpec] = []
  public var filterConfigs: [FilterConfigSpec] = []
  public var includesRequestAttemptCount = false
  public var includesAttemptCountInResponse = false

  public init(name: String, domains: [String]) {
    self.name = name
    self.domains = domains
  }
}

public struct VirtualClusterSpec: Sendable {
  public var name: String
  public var headers: [HeaderMatcherSpec]

  public init(name: String, headers: [HeaderMatcherSpec]) {
    self.name = name
    self.headers = headers
  }
}

public enum StringMatcherSpec: Sendable {
  case exact(String), prefix(String), suffix(String), contains(String)
  /// RE2, must match the whole value.
  case regex(String)
}

public struct HeaderMatcherSpec: Sendable {
  public enum Kind: Sendable {
    case string(StringMatcherSpec, ignoresCase: Bool)
    /// A decimal integer in `start..<end`.
    case range(start: Int64, end: Int64)
    case present(Bool)
  }

  public var name: String
  public var kind: Kind
  public var inverts: Bool
  public var treatsMissingAsEmpty: Bool

  public init(
    name: String, kind: Kind, inverts: Bool = false, treatsMissingAsEmpty: Bool = false
  ) {
    self.name = name
    self.kind = kind
    self.inverts = inverts
    self.treatsMissingAsEmpty = treatsMissingAsEmpty
  }
}

public struct QueryParameterMatcherSpec: Sendable {
  public enum Kind: Sendable {
    case string(StringMatcherSpec, ignoresCase: Bool)
    case present(Bool)
  }

  public var name: String
  public var kind: Kind

  public init(name: String, kind: Kind) {
    self.name = name
    self.kind = kind
  }
}

public struct RouteMatchSpec: Sendable {
  public enum Path: Sendable {
    case prefix(String), exact(String), separatedPrefix(String)
    /// RE2, must match the whole path without its query.
    case regex(String)
    case connect
  }

  /// Matches when `random % denominator < numerator`.
  public struct Fraction: Sendable, BitwiseCopyable {
    public var numerator: UInt32
    public var denominator: UInt32

    public init(numerator: UInt32, denominator: UInt32) {
      self.numerator = numerator
      self.denominator = denominator
    }
  }

  public var path: Path
  public var isCaseSensitive = true
  public var headers: [HeaderMatcherSpec] = []
  public var queryParameters: [QueryParameterMatcherSpec] = []
  public var isGRPCOnly = false
  public var runtimeFraction: Fraction?
  /// Whether the client must, or must not, have shown a certificate (`tls_context.presented`); nil = either.
  public var presentsCertificate: Bool?
  /// Whether it must, or must not, have been found good (`tls_context.validated`).
  public var hasValidCertificate: Bool?

  public init(path: Path) { self.path = path }
}

public struct RouteSpec: Sendable {
  public var name = ""
  public var match: RouteMatchSpec
  public var action: RouteActionSpec
  public var requestMutations = HeaderMutationSpec()
  public var responseMutations = HeaderMutationSpec()
  public var filterConfigs: [FilterConfigSpec] = []
  public var requestBodyBufferLimitBytes: UInt64?
  public var statPrefix = ""

  public init(match: RouteMatchSpec, action: RouteActionSpec) {
    self.match = match
    self.action = action
  }
}

public enum RouteActionSpec: Sendable {
  case route(ForwardSpec)
  case redirect(RedirectSpec)
  case directResponse(status: UInt16, body: [UInt8])
}

/// A regular expression and its replacement (`\1` names a group), over all matches.
public struct RegexRewriteSpec: Sendable {
  public var pattern: String
  public var substitution: String

  public init(pattern: String, substitution: String) {
    self.pattern = pattern
    self.substitution = substitution
  }
}

public enum PathRewriteSpec: Sendable {
  case prefix(String)
  case regex(RegexRewriteSpec)
}

public enum HostRewriteSpec: Sendable {
  case literal(String)
  /// The value of a request header, when it has one.
  case header(String)
  /// The path (without query) rewritten.
  case pathRegex(RegexRewriteSpec)
  /// The chosen upstream host's name.
  case automatic
}

public struct WeightedClusterSpec: Sendable {
  public var cluster: UInt32
  public var weight: UInt32
  public var requestMutations = HeaderMutationSpec()
  public var responseMutations = HeaderMutationSpec()
  public var filterConfigs: [FilterConfigSpec] = []
  public var hostRewriteLiteral: String?

  public init(cluster: UInt32, weight: UInt32) {
    self.cluster = cluster
    self.weight = weight
  }
}

public struct ForwardSpec: Sendable {
  public enum Target: Sendable {
    /// A cluster by the caller's slot number.
    case cluster(UInt32)
    /// The cluster is named by a request header.
    case clusterHeader(String)
    /// `header`: a request header whose number selects instead of the random value.
    case weighted([WeightedClusterSpec], header: String?)
  }

  public enum Priority: UInt8, Sendable, BitwiseCopyable { case normal, high }

  public var target: Target
  /// Weighted: the hash of the request selects instead of the random value, when its policies give one.
  public var selectsByHash = false
  /// Milliseconds; nil inherits the default of 15 s, 0 disables.
  public var timeoutMilliseconds: UInt64?
  /// Milliseconds; nil inherits the stream's idle timeout, 0 disables.
  public var idleTimeoutMilliseconds: UInt64?
  /// Milliseconds; nil inherits, 0 disables.
  public var maxStreamDurationMilliseconds: UInt64?
  /// A request's `grpc-timeout` counts instead, up to so many milliseconds (0: as long as it says); nil: it does not.
  public var grpcTimeoutMaxMilliseconds: UInt64?
  /// Taken off a request's `grpc-timeout`; when nothing is left, the request fails at once.
  public var grpcTimeoutOffsetMilliseconds: UInt64 = 0
  /// It counts for gRPC requests, and instead of `timeoutMilliseconds`: `max_grpc_timeout`. An offset that would leave nothing is not
  /// taken off.
  public var grpcTimeoutIsTimeout = false
  public var priority = Priority.normal
  public var pathRewrite: PathRewriteSpec?
  public var hostRewrite: HostRewriteSpec?
  public var appendsXForwardedHost = false
  public var clusterNotFoundStatus: UInt16 = 503
  /// Index into the caller's own list.
  public var policySlot: UInt32?
  /// Protocols that requests may switch to or not, whatever the listener says.
  public var upgrades: [UpgradeSpec] = []
  /// CONNECT ends here; nil: it is sent on.
  public var connect: ConnectSpec?

  public init(target: Target) { self.target = target }
}

public struct UpgradeSpec: Sendable {
  /// The value of an Upgrade header, or `CONNECT`; case does not matter.
  public var type: String
  public var isEnabled: Bool

  public init(type: String, isEnabled: Bool) {
    self.type = type
    self.isEnabled = isEnabled
  }
}

public struct ConnectSpec: Sendable {
  /// POST counts as CONNECT.
  public var takesPost: Bool
  /// The version of the PROXY protocol whose header comes first; 0: none.
  public var proxyProtocolVersion: UInt8

  public init(takesPost: Bool, proxyProtocolVersion: UInt8) {
    self.takesPost = takesPost
    self.proxyProtocolVersion = proxyProtocolVersion
  }
}

public struct RedirectSpec: Sendable {
  public enum Scheme: Sendable { case https, named(String) }
  public enum Path: Sendable {
    case replace(String)
    case rewrite(PathRewriteSpec)
  }

  public var scheme: Scheme?
  public var host: String?
  public var port: UInt32?
  public var path: Path?
  /// 301, 302, 303, 307 or 308.
  public var status: UInt16 = 301
  public var stripsQuery = false

  public init() {}
}
