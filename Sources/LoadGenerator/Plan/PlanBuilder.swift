public import LoadBase
import LoadReport
public import Primitives

/// Turns options into a plan, or says in one sentence what is wrong with them.
public struct PlanBuilder {
  /// How names and files are looked up; replaced in tests.
  public struct Environment {
    /// Throws a sentence that names the option and says why the file cannot be read.
    public var readFile: (_ path: String, _ option: String) throws(UsageError) -> [UInt8]
    /// Throws a sentence about a name that has no address.
    public var resolve: (_ host: String, _ port: UInt16) throws(UsageError) -> SocketAddress

    public init(
      readFile: @escaping (_ path: String, _ option: String) throws(UsageError) -> [UInt8],
      resolve: @escaping (_ host: String, _ port: UInt16) throws(UsageError) -> SocketAddress
    ) {
      self.readFile = readFile
      self.resolve = resolve
    }
  }

  let options: LoadOptions
  let environment: Environment

  public init(_ options: LoadOptions, _ environment: Environment) {
    self.options = options
    self.environment = environment
  }

  public func plan() throws(UsageError) -> LoadPlan {
    let targets = try targets()
    guard let first = targets.first else {
      throw UsageError("no URL: say what to load, like apus-load http://127.0.0.1:8080/")
    }
    let traffic = try traffic(targets)
    var plan = LoadPlan(target: options.url ?? first.url.text, address: try address(first.url), traffic: traffic)
    plan.tls = try tls(first.url)
    try setConnections(&plan)
    try setTimes(&plan)
    try setPace(&plan)
    try setChecks(&plan)
    if let seed = options.seed { plan.seed = seed }
    return plan
  }

  // MARK: Where to

  private struct Target {
    var weight: Double
    var url: TargetURL
  }

  private func targets() throws(UsageError) -> [Target] {
    let base = try options.url.map { text throws(UsageError) in try TargetURL(text) }
    guard let file = options.urls else { return base.map { [Target(weight: 1, url: $0)] } ?? [] }
    let bytes = try environment.readFile(file, "--urls")
    var targets: [Target] = []
    for entry in try URLList.parse(String(decoding: bytes, as: UTF8.self), name: file) {
      targets.append(Target(weight: entry.weight, url: try url(entry.url, base, file)))
    }
    for target in targets where !target.url.isSameServer(as: targets[0].url) {
      throw UsageError(
        "--urls \(file): \(target.url.text) is on another server than \(targets[0].url.text);"
          + " one run loads one server")
    }
    return targets
  }

  private func url(_ text: String, _ base: TargetURL?, _ file: String) throws(UsageError) -> TargetURL {
    guard text.hasPrefix("/") else {
      let url = try TargetURL(text)
      if let base, !url.isSameServer(as: base) {
        throw UsageError("--urls \(file): \(text) is on another server than \(base.text)")
      }
      return url
    }
    guard var url = base else {
      throw UsageError("--urls \(file): '\(text)' is a path; give the server's URL as well")
    }
    url.path = text
    return url
  }

  private func address(_ url: TargetURL) throws(UsageError) -> SocketAddress {
    if let text = options.connectTo {
      guard let address = SocketAddress(text), address.port != 0 else {
        throw UsageError("--connect-to \(text): expected an address like 127.0.0.1:8080 or unix:/path")
      }
      return address
    }
    if let literal = IPAddress(url.host) { return .ip(literal, port: url.port) }
    return try environment.resolve(url.host, url.port)
  }

  // MARK: What is sent

  private func traffic(_ targets: [Target]) throws(UsageError) -> ClientProtocol {
    if let text = options.tcpEcho {
      guard targets.allSatisfy({ !$0.url.scheme.isHTTP }) else {
        throw UsageError("--tcp-echo goes with tcp://host:port or tls://host:port, not with an http URL")
      }
      try refuseWithEcho()
      let bytes = try Quantity.bytes(text, option: "--tcp-echo")
      guard (1...(64 << 20)).contains(bytes) else {
        throw UsageError("--tcp-echo \(text): expected 1 byte to 64m")
      }
      return .tcpEcho(bytes: bytes)
    }
    guard targets.allSatisfy({ $0.url.scheme.isHTTP }) else {
      throw UsageError("tcp:// and tls:// need --tcp-echo SIZE: how many bytes to send and expect back")
    }
    let body = try body()
    if options.grpc, let method = options.method, method != "POST" {
      throw UsageError("--method \(method): calls of gRPC are POST; leave it out")
    }
    let method = options.method ?? (body == .none && !options.grpc ? "GET" : "POST")
    let headers = try options.headers.map { text throws(UsageError) in
      try RequestPlan.Header(text)
    }
    let requests = targets.map {
      RequestPlan(
        weight: $0.weight, method: method, authority: $0.url.authority, path: $0.url.path,
        headers: headers, body: body)
    }
    let version = try version(isTLS: targets.first?.url.scheme.isTLS ?? false)
    return options.grpc ? .grpc(requests) : .http(version, requests)
  }

  private func refuseWithEcho() throws(UsageError) {
    let nonsense: [(String, Bool)] = [
      ("--method", options.method != nil), ("-H", !options.headers.isEmpty),
      ("--body", options.body != nil), ("--body-file", options.bodyFile != nil),
      ("--body-size", options.bodySize != nil), ("--expect-status", options.expectStatus != nil),
      ("--expect-body-size", options.expectBodySize != nil),
      ("--expect-body", options.expectBody != nil),
      ("--expect-body-file", options.expectBodyFile != nil),
      ("--expect-body-hash", options.expectBodyHash != nil), ("--urls", options.urls != nil),
      ("--http1", options.http1), ("--http2", options.http2), ("--grpc", options.grpc),
      ("--streams", options.streams != nil),
    ]
    for (name, isGiven) in nonsense where isGiven {
      throw UsageError("\(name) has no meaning with --tcp-echo")
    }
  }

  private func body() throws(UsageError) -> RequestBody {
    let given = [options.body, options.bodyFile, options.bodySize].count { $0 != nil }
    guard given <= 1 else {
      throw UsageError("--body, --body-file and --body-size exclude each other: give one")
    }
    if let text = options.body { return .bytes(Array(text.utf8)) }
    if let path = options.bodyFile {
      let bytes = try environment.readFile(path, "--body-file")
      guard bytes.count <= RequestBody.bytesMax else {
        throw UsageError("--body-file \(path): larger than 256m")
      }
      return .bytes(bytes)
    }
    guard let text = options.bodySize else { return .none }
    let (low, high) = Quantity.range(text)
    let least = try Quantity.bytes(low, option: "--body-size")
    let most = try Quantity.bytes(high, option: "--body-size")
    guard least <= most, most <= RequestBody.bytesMax else {
      throw UsageError("--body-size \(text): expected a size up to 256m, or a range like 1k..64k")
    }
    return .size(least, most)
  }

  // MARK: Connections and times

  private func setConnections(_ plan: inout LoadPlan) throws(UsageError) {
    guard (1...1_000_000).contains(options.connections) else {
      throw UsageError("--connections \(options.connections): expected 1 to 1000000")
    }
    guard (1...256).contains(options.threads) else {
      throw UsageError("--threads \(options.threads): expected 1 to 256")
    }
    guard options.threads <= options.connections else {
      throw UsageError(
        "--threads \(options.threads): more than the \(options.connections) connections")
    }
    guard (1...1024).contains(options.pipeline) else {
      throw UsageError("--pipeline \(options.pipeline): expected 1 to 1024")
    }
    if options.newConnectionPerRequest, options.pipeline > 1 {
      throw UsageError("--pipeline and --new-connection-per-request exclude each other")
    }
    plan.connections = options.connections
    plan.threads = options.threads
    plan.pipelining = options.pipeline
    plan.streams = options.streams ?? 1
    plan.newConnectionPerRequest = options.newConnectionPerRequest
  }

  private func setTimes(_ plan: inout LoadPlan) throws(UsageError) {
    if let text = options.warmUp {
      plan.warmUp = try Quantity.nanoseconds(text, option: "--warm-up")
    }
    if let text = options.timeout { plan.timeout = try positive(text, "--timeout") }
    if let text = options.connectTimeout {
      plan.connectTimeout = try positive(text, "--connect-timeout")
    }
    if let text = options.requests {
      let count = try Quantity.count(text, option: "--requests")
      guard count > 0 else { throw UsageError("--requests \(text): expected at least 1") }
      plan.requests = count
    }
    if let text = options.duration {
      plan.duration = try positive(text, "--duration")
    } else if plan.requests == nil {
      plan.duration = 10_000_000_000
    }
  }

  private func positive(_ text: String, _ option: String) throws(UsageError) -> UInt64 {
    let value = try Quantity.nanoseconds(text, option: option)
    guard value >= 1_000_000 else { throw UsageError("\(option) \(text): expected at least 1ms") }
    return value
  }

  // MARK: Rates

  private func setPace(_ plan: inout LoadPlan) throws(UsageError) {
    guard let text = options.rate else {
      for (name, isGiven) in [
        ("--arrivals", options.arrivals != nil), ("--step", options.step != nil),
        ("--steps", options.steps != nil),
      ] where isGiven {
        throw UsageError("\(name) needs --rate")
      }
      return
    }
    var arrivals = LoadMode.Arrivals.constant
    if let name = options.arrivals {
      guard let known = LoadMode.Arrivals(rawValue: name) else {
        throw UsageError("--arrivals \(name): expected constant or poisson")
      }
      arrivals = known
    }
    let (low, high) = Quantity.range(text)
    let from = try Quantity.rate(low, option: "--rate")
    let to = try Quantity.rate(high, option: "--rate")
    if low == high {
      for (name, isGiven) in [("--step", options.step != nil), ("--steps", options.steps != nil)]
      where isGiven {
        throw UsageError("\(name) needs a range of rates, like --rate 1k..50k")
      }
      plan.pace = .open(
        .constant(rate: from, duration: plan.duration, warmUp: plan.warmUp), arrivals)
      return
    }
    if plan.requests != nil {
      throw UsageError("--requests has no meaning with a range of rates; use --step and --steps")
    }
    let (count, length) = try steps()
    plan.duration = length * UInt64(count)
    plan.pace = .open(
      .ramp(from: from, to: to, count: count, stepLength: length, warmUp: plan.warmUp), arrivals)
  }

  private func steps() throws(UsageError) -> (count: Int, length: UInt64) {
    if let steps = options.steps, !(2...1000).contains(steps) {
      throw UsageError("--steps \(steps): expected 2 to 1000")
    }
    let length = try options.step.map { text throws(UsageError) in try positive(text, "--step") }
    let whole = try options.duration.map { text throws(UsageError) in
      try positive(text, "--duration")
    }
    switch (options.steps, length, whole) {
    case (.some, .some, .some):
      throw UsageError("--steps, --step and --duration: two of them say it all")
    case (let steps, nil, let whole?):
      let count = steps ?? 10
      return (count, max(1_000_000, whole / UInt64(count)))
    case (nil, let length?, let whole?):
      let count = Int(whole / length)
      guard (2...1000).contains(count) else {
        throw UsageError("--duration must hold 2 to 1000 steps of --step")
      }
      return (count, length)
    case (let steps, let length, nil):
      return (steps ?? 10, length ?? 5_000_000_000)
    }
  }

  // MARK: What is expected

  private func setChecks(_ plan: inout LoadPlan) throws(UsageError) {
    if let text = options.expectStatus { plan.check.statuses = try StatusSet.parse(text) }
    if let text = options.expectBodySize {
      plan.check.bodyBytes = try Quantity.bytes(text, option: "--expect-body-size")
    }
    if options.expectBody != nil, options.expectBodyFile != nil {
      throw UsageError("--expect-body and --expect-body-file exclude each other: give one")
    }
    if let text = options.expectBody { plan.check.body = Array(text.utf8) }
    if let path = options.expectBodyFile {
      plan.check.body = try environment.readFile(path, "--expect-body-file")
    }
    if let text = options.expectBodyHash {
      guard text.utf8.count == 16, let hash = UInt64(text, radix: 16) else {
        throw UsageError("--expect-body-hash \(text): expected 16 hexadecimal digits, as xxh64sum prints")
      }
      plan.check.bodyHash = hash
    }
  }
}
