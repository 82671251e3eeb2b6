/// Takes tags out of names, by the rules that the field knows (Envoy: `well_known_names.cc`, the defaults of
/// `config.metrics.v3.StatsConfig.use_all_default_tags`) plus the user's own.
public struct TagExtraction: Sendable {
  /// A custom rule: the tag's value, and the part of the name (in UTF-8 bytes) that goes away.
  public typealias Rule = @Sendable (String) -> (value: String, removedUTF8Bytes: Range<Int>)?

  private let useDefaults: Bool
  private let fixedTags: [StatsTag]
  private let rules: [(tagName: String, rule: Rule)]

  /// - Parameter fixedTags: Put on every metric, before the extracted ones.
  public init(
    useDefaults: Bool = true, fixedTags: [StatsTag] = [],
    rules: [(tagName: String, rule: Rule)] = []
  ) {
    self.useDefaults = useDefaults
    self.fixedTags = fixedTags
    self.rules = rules
  }

  public func extract(from name: String) -> TaggedName {
    let parts = NameParts(name)
    var found = Found(tags: fixedTags)
    for (tagName, rule) in rules {
      if let (value, removed) = rule(name) {
        found.add(tagName, value, removed.clamped(to: 0..<parts.bytes.count))
      }
    }
    if useDefaults { Self.extractDefaults(parts, &found) }
    return TaggedName(name: found.remainder(of: parts), tags: found.tags)
  }

  private static func extractDefaults(_ name: NameParts, _ found: inout Found) {
    extractCode(name, &found)
    for pattern in patternsByFirst[name.text(name.parts[0])] ?? [] where !found.has(pattern.tagName) {
      if let part = pattern.match(name) { found.take(part, as: pattern.tagName, from: name) }
    }
    switch name.text(name.parts[0]) {
    case "listener": extractListener(name, &found)
    case "server", "listener_manager": extractWorker(name, part: 1, &found)
    case "http": extractRouteConfiguration(name, &found)
    default: break
    }
    extractSSL(name, &found)
    if name.parts.count > 1, name.isPart(1, "http_local_rate_limit") {
      found.take(0, as: "envoy.local_http_ratelimit_prefix", from: name)
    }
  }

  /// `*_rq_<code>` and `*_rq_<digit>xx`.
  private static func extractCode(_ name: NameParts, _ found: inout Found) {
    let bytes = name.bytes
    let end = bytes.count
    guard end >= 7, bytes[(end - 7)..<(end - 3)].elementsEqual("_rq_".utf8) else { return }
    let suffix = bytes[(end - 3)...]
    guard isDigit(suffix[end - 3]) else { return }
    if suffix.allSatisfy(isDigit) {
      found.add("envoy.response_code", name.text(end - 3..<end), end - 4..<end)
    } else if suffix.dropFirst().elementsEqual("xx".utf8) {
      found.add("envoy.response_code_class", name.text(end - 3..<end - 2), end - 3..<end - 2)
    }
  }

  /// `listener.<address>.[http.<prefix>.][worker_<id>.]*`
  private static func extractListener(_ name: NameParts, _ found: inout Found) {
    let last = addressEnd(name)
    if name.parts.count > 3,
      let http = (2..<name.parts.count - 2).first(where: { name.isPart($0, "http") })
    {
      found.take(http + 1, as: "envoy.http_conn_manager_prefix", from: name)
    }
    extractWorker(name, part: last + 1, &found)
    guard name.parts.count > last + 1, !name.isPart(1, "admin"), !name.parts[1].isEmpty else { return }
    let range = name.parts[1].lowerBound..<name.parts[last].upperBound
    found.add("envoy.listener_address", name.text(range), range.lowerBound..<range.upperBound + 1)
  }

  /// The last part of a listener's address: an IPv4 address has four, everything else one.
  private static func addressEnd(_ name: NameParts) -> Int {
    guard name.parts.count > 4, (1...3).allSatisfy({ isNumber(name.part($0)) }) else { return 1 }
    let pieces = name.part(4).split(
      separator: UInt8(ascii: "_"), maxSplits: 1, omittingEmptySubsequences: false)
    return pieces.count == 2 && pieces.allSatisfy(isNumber) ? 4 : 1
  }

  /// `worker_<id>.`: the number goes, the word stays.
  private static func extractWorker(_ name: NameParts, part: Int, _ found: inout Found) {
    guard part + 1 < name.parts.count else { return }
    let range = name.parts[part]
    guard name.part(part).starts(with: "worker_".utf8) else { return }
    let digits = range.lowerBound + 7..<range.upperBound
    guard isNumber(name.bytes[digits]) else { return }
    found.add(
      "envoy.worker_id", name.text(digits), digits.lowerBound..<digits.upperBound + 1)
  }

  /// `http.<prefix>.rds.<route configuration, may hold dots>.<base>`
  private static func extractRouteConfiguration(_ name: NameParts, _ found: inout Found) {
    let last = name.parts.count - 1
    guard last > 3, name.isPart(2, "rds") else { return }
    let range = name.parts[3].lowerBound..<name.parts[last - 1].upperBound
    guard !range.isEmpty else { return }
    found.add("envoy.rds_route_config", name.text(range), range.lowerBound..<range.upperBound + 1)
  }

  /// `(listener|cluster).*.ssl.<what>.<value>`
  private static func extractSSL(_ name: NameParts, _ found: inout Found) {
    let end = name.parts.count
    // A TLS version is the only value with a dot: `TLSv1.3`.
    let isVersion = end > 5 && name.isPart(end - 3, "versions")
    let first = isVersion ? end - 2 : end - 1
    guard first >= 4, name.isPart(first - 2, "ssl"), !name.parts[end - 1].isEmpty else { return }
    let isListener = name.isPart(0, "listener")
    guard isListener || name.isPart(0, "cluster") else { return }
    let tag: String
    switch name.text(name.parts[first - 1]) {
    case "ciphers": tag = isListener ? "envoy.ssl_cipher" : "cipher_suite"
    case "curves": tag = "envoy.ssl_curve"
    case "sigalgs": tag = "envoy.ssl_sigalg"
    case "versions": tag = "envoy.ssl_version"
    default: return
    }
    let range = name.parts[first].lowerBound..<name.parts[end - 1].upperBound
    found.add(tag, name.text(range), range.lowerBound - 1..<range.upperBound)
  }

  private static func isDigit(_ byte: UInt8) -> Bool { (48...57).contains(byte) }
  private static func isNumber(_ bytes: ArraySlice<UInt8>) -> Bool {
    !bytes.isEmpty && bytes.allSatisfy(isDigit)
  }

  /// Most specific first, which is also the order of the labels.
  private static let patterns: [TokenPattern] = [
    TokenPattern("envoy.mongo_callsite", "mongo.*.collection.*.callsite.$.query.**"),
    TokenPattern("envoy.mongo_collection", "mongo.*.collection.$.**.query.*"),
    TokenPattern("envoy.mongo_cmd", "mongo.*.cmd.$.**"),
    TokenPattern("envoy.grpc_bridge_method", "cluster.*.grpc.*.$.**"),
    TokenPattern("envoy.http_user_agent", "http.*.user_agent.$.**"),
    TokenPattern("envoy.virtual_cluster", "vhost.*.vcluster.$.**"),
    TokenPattern("envoy.fault_downstream_cluster", "http.*.fault.$.**"),
    TokenPattern("envoy.grpc_bridge_service", "cluster.*.grpc.$.**"),
    TokenPattern("envoy.tcp_prefix", "tcp.$.**"),
    TokenPattern("envoy.udp_prefix", "udp.$.**"),
    TokenPattern("envoy.clientssl_prefix", "auth.clientssl.$.**"),
    TokenPattern("envoy.ratelimit_prefix", "ratelimit.$.**"),
    TokenPattern("envoy.cluster_name", "cluster.$.**"),
    TokenPattern("envoy.ext_authz_prefix", "cluster.*.ext_authz.$.**"),
    TokenPattern("envoy.ext_authz_prefix", "http.*.ext_authz.$.**"),
    TokenPattern("envoy.http_conn_manager_prefix", "http.$.**"),
    TokenPattern("envoy.virtual_host", "vhost.$.**"),
    TokenPattern("envoy.mongo_prefix", "mongo.$.**"),
    TokenPattern("envoy.route", "vhost.*.route.$.**"),
    TokenPattern("envoy.thrift_prefix", "thrift.$.**"),
    TokenPattern("envoy.redis_prefix", "redis.$.**"),
    TokenPattern("envoy.local_network_ratelimit_prefix", "local_rate_limit.$.**"),
    TokenPattern("envoy.local_listener_ratelimit_prefix", "listener_local_ratelimit.$.**"),
    TokenPattern("envoy.dns_filter_prefix", "dns_filter.$.**"),
  ]

  private static let patternsByFirst = Dictionary(grouping: patterns) {
    String(decoding: $0.tokens[0], as: UTF8.self)
  }

  /// Tags found so far, and the bytes that go away.
  private struct Found {
    var tags: [StatsTag]
    var removed: [Range<Int>] = []

    func has(_ tagName: String) -> Bool { tags.contains { $0.name == tagName } }

    mutating func add(_ tagName: String, _ value: String, _ range: Range<Int>) {
      tags.append(StatsTag(name: tagName, value: value))
      removed.append(range)
    }

    /// A whole part with the dot behind it, or before it when it is the last one.
    mutating func take(_ part: Int, as tagName: String, from name: NameParts) {
      let range = name.parts[part]
      let isLast = part == name.parts.count - 1
      add(
        tagName, name.text(range),
        isLast
          ? max(0, range.lowerBound - 1)..<range.upperBound
          : range.lowerBound..<range.upperBound + 1)
    }

    func remainder(of name: NameParts) -> String {
      guard !removed.isEmpty else { return name.text(0..<name.bytes.count) }
      var kept: [UInt8] = []
      var position = 0
      for range in removed.sorted(by: { $0.lowerBound < $1.lowerBound }) {
        if range.lowerBound > position { kept += name.bytes[position..<range.lowerBound] }
        position = max(position, range.upperBound)
      }
      kept += name.bytes[position...]
      return String(decoding: kept, as: UTF8.self)
    }
  }
}
