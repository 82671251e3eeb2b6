import Format
import HTTPCore
import Primitives
import RegularExpressions

/// Turns a ``RouteTableSpec`` into flat tables, collecting all errors.
struct RouteTableCompiler {
  /// What keeps the table's memory alive.
  final class Owners {
    let memory = ConfigurationMemory()
    var regexes: [Regex] = []
    var mutations: [HeaderMutations] = []
  }

  let spec: RouteTableSpec
  let environment: FormatEnvironment
  let owners = Owners()
  var errors: [RoutingError] = []
  var filterNumbers: [String: UInt32] = [:]

  private var virtualHosts: [VirtualHostEntry] = []
  private var routes: [RouteEntry] = []
  private var conditions: [RouteCondition] = []
  private var weightedClusters: [WeightedCluster] = []
  private var virtualClusters: [VirtualClusterEntry] = []
  private var mutations: [HeaderMutationProgram] = []
  private var filterConfigs: [FilterConfigEntry] = []

  /// The mutations of the levels around what is being compiled, outermost first.
  private struct Level {
    var request: HeaderMutationProgram?
    var response: HeaderMutationProgram?
    var filters: [UInt32: UInt32]
  }

  init(_ spec: RouteTableSpec, environment: FormatEnvironment) {
    self.spec = spec
    self.environment = environment
  }

  mutating func report(_ path: String, _ message: String) {
    errors.append(RoutingError(path: path, message: message))
  }

  mutating func compile() throws(RoutingErrors) -> RouteLookup {
    let memory = owners.memory
    let outer = level(
      spec.requestMutations, spec.responseMutations, spec.filterConfigs, path: "")
    var problems: [RoutingError] = []
    let domains = DomainTable(spec.virtualHosts.map(\.domains), memory: memory) {
      host, index, message in
      problems.append(
        RoutingError(path: "virtual_hosts[\(host)].domains[\(index)]", message: message))
    }
    errors += problems
    var names: [String: Int] = [:]
    for (i, host) in spec.virtualHosts.enumerated() {
      let path = "virtual_hosts[\(i)]"
      if host.name.isEmpty { report("\(path).name", "must not be empty") }
      if let other = names[host.name] {
        report("\(path).name", "\"\(host.name)\" is already used by virtual_hosts[\(other)]")
      }
      names[host.name] = i
      if host.domains.isEmpty { report("\(path).domains", "must not be empty") }
      compile(host, number: i, path: path, outer: outer)
    }
    if !errors.isEmpty { throw RoutingErrors(errors: errors) }
    return RouteLookup(
      domains: domains, ignoresPortInHost: spec.ignoresPortInHost,
      virtualHosts: memory.store(virtualHosts), virtualHostCount: virtualHosts.count,
      routes: memory.store(routes), routeCount: routes.count,
      conditions: memory.store(conditions), weightedClusters: memory.store(weightedClusters),
      virtualClusters: memory.store(virtualClusters), mutations: memory.store(mutations),
      filterConfigs: memory.store(filterConfigs))
  }

  private mutating func compile(
    _ host: VirtualHostSpec, number: Int, path: String, outer: Level
  ) {
    let own = level(
      host.requestMutations, host.responseMutations, host.filterConfigs, path: "\(path).")
    let firstCluster = virtualClusters.count
    for (i, cluster) in host.virtualClusters.enumerated() {
      let place = "\(path).virtual_clusters[\(i)]"
      if cluster.name.isEmpty { report("\(place).name", "must not be empty") }
      if cluster.headers.isEmpty { report("\(place).headers", "must not be empty") }
      let headers = headerMatchers(cluster.headers, "\(place).headers")
      virtualClusters.append(
        VirtualClusterEntry(
          name: owners.memory.store(cluster.name), headers: owners.memory.store(headers),
          headerCount: headers.count))
    }
    let first = routes.count
    for (i, route) in host.routes.enumerated() {
      compile(route, host: UInt32(number), path: "\(path).routes[\(i)]", levels: [outer, own])
    }
    virtualHosts.append(
      VirtualHostEntry(
        name: owners.memory.store(host.name), requireTLS: host.requireTLS,
        includesRequestAttemptCount: host.includesRequestAttemptCount,
        includesAttemptCountInResponse: host.includesAttemptCountInResponse,
        firstVirtualCluster: UInt32(firstCluster),
        virtualClusterCount: UInt32(virtualClusters.count - firstCluster),
        index: RouteIndex(conditions, first..<routes.count, memory: owners.memory)))
  }

  private mutating func compile(
    _ route: RouteSpec, host: UInt32, path: String, levels: [Level]
  ) {
    let memory = owners.memory
    conditions.append(condition(route.match, "\(path).match"))
    let levels = levels + [
      level(
        route.requestMutations, route.responseMutations, route.filterConfigs, path: "\(path).")
    ]
    var entry = RouteEntry(
      kind: .forward, name: memory.store(route.name), statPrefix: memory.store(route.statPrefix),
      virtualHost: host, requestBodyBufferLimitBytes: route.requestBodyBufferLimitBytes)
    (entry.requestMutations, entry.responseMutations) = mutationRanges(levels)
    entry.filterConfigs = filterRange(levels)
    switch route.match.path {
    case .prefix(let text), .separatedPrefix(let text): entry.matchedPathCount = text.utf8.count
    case .exact, .regex, .connect: break
    }
    switch route.action {
    case .route(let forward): compile(forward, into: &entry, "\(path).route", levels)
    case .redirect(let redirect): compile(redirect, into: &entry, "\(path).redirect")
    case .directResponse(let status, let body):
      entry.kind = .directResponse
      entry.status = status
      entry.body = memory.store(bytes: body)
      if !(200...599).contains(status) {
        report("\(path).direct_response.status", "must be 200...599, got \(status)")
      }
      if body.count > spec.directResponseBodyBytesMax {
        report(
          "\(path).direct_response.body",
          "\(body.count) bytes are above the limit of \(spec.directResponseBodyBytesMax)")
      }
    }
    routes.append(entry)
  }

  // MARK: Actions

  private mutating func compile(
    _ forward: ForwardSpec, into entry: inout RouteEntry, _ path: String, _ levels: [Level]
  ) {
    let memory = owners.memory
    switch forward.target {
    case .cluster(let slot): entry.target = .cluster(slot)
    case .clusterHeader(let name):
      if name != ":authority", !HeaderName.isToken(name.hasPrefix(":") ? String(name.dropFirst()) : name) {
        report("\(path).cluster_header", "\"\(name)\" is not a header name")
      }
      let (view, known) = HeaderName.store(name, memory)
      entry.target = .clusterHeader(name: view, known: known)
    case .weighted(let clusters, _):
      let first = weightedClusters.count
      var total: UInt64 = 0
      for (i, cluster) in clusters.enumerated() {
        let place = "\(path).weighted_clusters.clusters[\(i)]"
        total += UInt64(cluster.weight)
        let own = level(
          cluster.requestMutations, cluster.responseMutations, cluster.filterConfigs,
          path: "\(place).")
        let ranges = mutationRanges(levels + [own])
        weightedClusters.append(
          WeightedCluster(
            cluster: cluster.cluster, weightEnd: total,
            hostRewriteLiteral: memory.store(cluster.hostRewriteLiteral ?? ""),
            requestMutations: ranges.request, responseMutations: ranges.response,
            filterConfigs: filterRange(levels + [own])))
      }
      if total == 0 || total > UInt64(UInt32.max) {
        report(
          "\(path).weighted_clusters",
          "the sum of weights must be 1...\(UInt32.max), got \(total)")
      }
      entry.target = .weighted(
        first: UInt32(first), count: UInt32(clusters.count), totalWeight: total)
    }
    if case .weighted(_, let header?) = forward.target {
      let (view, known) = HeaderName.store(header, memory)
      entry.selectionHeader = view
      entry.selectionHeaderKnown = known
    }
    entry.timeoutMilliseconds = forward.timeoutMilliseconds
    entry.idleTimeoutMilliseconds = forward.idleTimeoutMilliseconds
    entry.maxStreamDurationMilliseconds = forward.maxStreamDurationMilliseconds
    entry.grpcTimeoutMaxMilliseconds = forward.grpcTimeoutMaxMilliseconds
    entry.grpcTimeoutOffsetMilliseconds = forward.grpcTimeoutOffsetMilliseconds
    entry.grpcTimeoutIsTimeout = forward.grpcTimeoutIsTimeout
    entry.priority = forward.priority
    entry.appendsXForwardedHost = forward.appendsXForwardedHost
    entry.clusterNotFoundStatus = forward.clusterNotFoundStatus
    entry.policySlot = forward.policySlot
    entry.selectsByHash = forward.selectsByHash
    if !forward.upgrades.isEmpty {
      entry.upgrades = memory.store(
        forward.upgrades.map { UpgradeRule(type: memory.store($0.type), isEnabled: $0.isEnabled) })
      entry.upgradeCount = Int32(forward.upgrades.count)
    }
    if let connect = forward.connect {
      entry.terminatesConnect = true
      entry.connectTakesPost = connect.takesPost
      entry.connectProxyProtocol = connect.proxyProtocolVersion
    }
    if let rewrite = forward.pathRewrite { entry.pathRewrite = pathRewrite(rewrite, path) }
    switch forward.hostRewrite {
    case nil: break
    case .literal(let host): entry.hostRewrite = .literal(memory.store(host))
    case .header(let name):
      let (view, known) = HeaderName.store(name, memory)
      entry.hostRewrite = .header(name: view, known: known)
    case .pathRegex(let rewrite):
      if let compiled = regexRewrite(rewrite, "\(path).host_rewrite_path_regex") {
        entry.hostRewrite = .pathRegex(compiled)
      }
    case .automatic: entry.hostRewrite = .automatic
    }
  }

  private mutating func compile(
    _ redirect: RedirectSpec, into entry: inout RouteEntry, _ path: String
  ) {
    let memory = owners.memory
    entry.kind = .redirect
    entry.status = redirect.status
    entry.stripsQuery = redirect.stripsQuery
    if ![301, 302, 303, 307, 308].contains(redirect.status) {
      report("\(path).response_code", "must be 301, 302, 303, 307 or 308")
    }
    switch redirect.scheme {
    case nil: break
    case .https: entry.redirectScheme = memory.store("https")
    case .named(let name): entry.redirectScheme = memory.store(name)
    }
    if let host = redirect.host { entry.redirectHost = memory.store(host) }
    if let port = redirect.port, port != 0 {
      if port > 65_535 { report("\(path).port_redirect", "must be at most 65535, got \(port)") }
      entry.redirectPort = memory.store(":\(port)")
    }
    switch redirect.path {
    case nil: break
    case .replace(let text): entry.redirectPath = memory.store(text)
    case .rewrite(let rewrite): entry.pathRewrite = pathRewrite(rewrite, path)
    }
  }

  private mutating func pathRewrite(
    _ rewrite: PathRewriteSpec, _ path: String
  ) -> RouteEntry.PathRewrite {
    switch rewrite {
    case .prefix(let text): return .prefix(owners.memory.store(text))
    case .regex(let rewrite):
      return regexRewrite(rewrite, "\(path).regex_rewrite").map { .regex($0) } ?? .none
    }
  }

  mutating func regexRewrite(_ rewrite: RegexRewriteSpec, _ path: String) -> RegexRewrite? {
    do {
      let regex = try Regex(rewrite.pattern, programSizeMax: spec.regexProgramSizeMax)
      owners.regexes.append(regex)
      do {
        try regex.check(rewrite: rewrite.substitution)
      } catch {
        report("\(path).substitution", error.message)
      }
      return RegexRewrite(
        regex: regex.handle, substitution: owners.memory.store(rewrite.substitution))
    } catch {
      report("\(path).pattern.regex", error.message)
      return nil
    }
  }

  // MARK: Conditions

  private mutating func regex(
    _ pattern: String, ignoresCase: Bool = false, _ path: String
  ) -> RegexHandle? {
    do {
      let regex = try Regex(
        pattern, caseSensitive: !ignoresCase, programSizeMax: spec.regexProgramSizeMax)
      owners.regexes.append(regex)
      return regex.handle
    } catch {
      report(path, error.message)
      return nil
    }
  }

  private mutating func condition(_ match: RouteMatchSpec, _ path: String) -> RouteCondition {
    let memory = owners.memory
    var kind: RouteCondition.PathKind
    var text = ""
    var handle: RegexHandle?
    switch match.path {
    case .prefix(let value): (kind, text) = (.prefix, value)
    case .exact(let value): (kind, text) = (.exact, value)
    case .separatedPrefix(let value):
      (kind, text) = (.separatedPrefix, value)
      if value.isEmpty || value.hasSuffix("/") || value.contains(where: { $0 == "?" || $0 == "#" }) {
        report(
          "\(path).path_separated_prefix",
          "must not be empty, end in \"/\" or hold \"?\" or \"#\"")
      }
    case .regex(let pattern):
      kind = .regex
      handle = regex(pattern, "\(path).safe_regex.regex")
    case .connect: kind = .connect
    }
    if let fraction = match.runtimeFraction, fraction.denominator == 0 {
      report("\(path).runtime_fraction", "the denominator must not be 0")
    }
    let headers = headerMatchers(match.headers, "\(path).headers")
    var parameters: [QueryParameterMatcher] = []
    for (i, parameter) in match.queryParameters.enumerated() {
      let place = "\(path).query_parameters[\(i)]"
      if parameter.name.isEmpty { report("\(place).name", "must not be empty") }
      var entry = QueryParameterMatcher(name: memory.store(parameter.name), isPresent: true)
      switch parameter.kind {
      case .present(let isPresent): entry.isPresent = isPresent
      case .string(let string, let ignoresCase):
        entry.string = stringMatcher(string, ignoresCase, "\(place).string_match")
      }
      parameters.append(entry)
    }
    var mask: ClientCertificate = []
    var value: ClientCertificate = []
    for (wanted, bit) in [
      (match.presentsCertificate, ClientCertificate.presented), (match.hasValidCertificate, .validated),
    ] {
      guard let wanted else { continue }
      mask.insert(bit)
      if wanted { value.insert(bit) }
    }
    return RouteCondition(
      pathKind: kind, isCaseSensitive: match.isCaseSensitive, isGRPCOnly: match.isGRPCOnly,
      certificateMask: mask, certificateValue: value, path: memory.store(text), regex: handle,
      headers: memory.store(headers), headerCount: Int32(headers.count),
      queryParameterCount: Int32(parameters.count), queryParameters: memory.store(parameters),
      fraction: match.runtimeFraction ?? RouteMatchSpec.Fraction(numerator: 0, denominator: 0))
  }

  mutating func headerMatchers(
    _ specs: [HeaderMatcherSpec], _ path: String
  ) -> [HeaderMatcher] {
    var result: [HeaderMatcher] = []
    for (i, matcher) in specs.enumerated() {
      let place = "\(path)[\(i)]"
      let bare = matcher.name.hasPrefix(":") ? String(matcher.name.dropFirst()) : matcher.name
      if !HeaderName.isToken(bare) {
        report("\(place).name", "\"\(matcher.name)\" is not a header name")
      }
      let (name, known) = HeaderName.store(matcher.name, owners.memory)
      var entry = HeaderMatcher(
        name: name, known: known, kind: .present,
        string: StringMatcher(kind: .exact, text: .empty, ignoresCase: false),
        start: 0, end: 0, isPresent: true, inverts: matcher.inverts,
        treatsMissingAsEmpty: matcher.treatsMissingAsEmpty)
      switch matcher.kind {
      case .present(let isPresent): entry.isPresent = isPresent
      case .range(let start, let end):
        entry.kind = .range
        entry.start = start
        entry.end = end
        if start >= end { report("\(place).range_match", "start must be below end") }
      case .string(let string, let ignoresCase):
        entry.kind = .string
        entry.string = stringMatcher(string, ignoresCase, "\(place).string_match")
      }
      result.append(entry)
    }
    return result
  }

  private mutating func stringMatcher(
    _ spec: StringMatcherSpec, _ ignoresCase: Bool, _ path: String
  ) -> StringMatcher {
    func literal(_ kind: StringMatcher.Kind, _ text: String) -> StringMatcher {
      StringMatcher(kind: kind, text: owners.memory.store(text), ignoresCase: ignoresCase)
    }
    switch spec {
    case .exact(let text): return literal(.exact, text)
    case .prefix(let text): return literal(.prefix, text)
    case .suffix(let text): return literal(.suffix, text)
    case .contains(let text): return literal(.contains, text)
    case .regex(let pattern):
      if ignoresCase { report(path, "ignore_case has no meaning for a regular expression") }
      return StringMatcher(
        kind: .regex, text: .empty, ignoresCase: false,
        regex: regex(pattern, "\(path).safe_regex.regex"))
    }
  }

  // MARK: Levels

  private mutating func level(
    _ request: HeaderMutationSpec, _ response: HeaderMutationSpec,
    _ filters: [FilterConfigSpec], path: String
  ) -> Level {
    var slots: [UInt32: UInt32] = [:]
    for filter in filters {
      let number = filterNumbers[filter.filterName] ?? UInt32(filterNumbers.count)
      filterNumbers[filter.filterName] = number
      slots[number] = filter.slot
    }
    return Level(
      request: program(request, "\(path)request_headers"),
      response: program(response, "\(path)response_headers"), filters: slots)
  }

  private mutating func program(
    _ spec: HeaderMutationSpec, _ path: String
  ) -> HeaderMutationProgram? {
    if spec.isEmpty { return nil }
    do {
      let compiled = try HeaderMutations(spec, environment: environment)
      owners.mutations.append(compiled)
      return compiled.program
    } catch {
      // additions[i].name -> request_headers_to_add[i].header.key
      let place = error.path
        .replacing("additions", with: "_to_add").replacing("removals", with: "_to_remove")
        .replacing(".name", with: ".header.key").replacing(".value", with: ".header.value")
      report(path + place, error.message)
      return nil
    }
  }

  /// Innermost first, so that the outermost is applied last and wins; the other way round with
  /// `most_specific_header_mutations_wins`.
  private mutating func mutationRanges(
    _ levels: [Level]
  ) -> (request: RouteEntry.LevelRange, response: RouteEntry.LevelRange) {
    let ordered = spec.mostSpecificHeaderMutationsWins ? levels : levels.reversed()
    return (
      append(ordered.compactMap(\.request)), append(ordered.compactMap(\.response))
    )
  }

  private mutating func append(_ programs: [HeaderMutationProgram]) -> RouteEntry.LevelRange {
    let range = RouteEntry.LevelRange(
      first: Int32(mutations.count), count: Int32(programs.count))
    mutations += programs
    return range
  }

  private mutating func filterRange(_ levels: [Level]) -> RouteEntry.LevelRange {
    var merged: [UInt32: UInt32] = [:]
    for level in levels { merged.merge(level.filters) { $1 } }
    let range = RouteEntry.LevelRange(
      first: Int32(filterConfigs.count), count: Int32(merged.count))
    for filter in merged.keys.sorted() {
      filterConfigs.append(FilterConfigEntry(filter: filter, slot: merged[filter] ?? 0))
    }
    return range
  }
}
