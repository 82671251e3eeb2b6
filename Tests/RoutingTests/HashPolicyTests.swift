import Format
import HTTPCore
import Primitives
import Routing
import Testing

/// What hash policies make of a request. Values are those of Envoy 1.40 for the same request.
@Suite struct HashPolicyTests {
  struct Row: CustomTestStringConvertible, Sendable {
    var name: String
    var policies: [HashPolicySpec]
    var request = TestRequest()
    /// The values that are combined, in their order; empty: no hash.
    var want: [UInt64] = []
    var cookies: [String] = []

    var testDescription: String { name }
  }

  static func header(
    _ name: String, _ rewrite: RegexRewriteSpec? = nil, isTerminal: Bool = false
  ) -> HashPolicySpec {
    HashPolicySpec(.header(name, rewrite: rewrite), isTerminal: isTerminal)
  }

  static func cookie(
    _ name: String, ttl: UInt64? = nil, path: String = "",
    attributes: [HashCookieSpec.Attribute] = [], isTerminal: Bool = false
  ) -> HashPolicySpec {
    var cookie = HashCookieSpec(name: name, ttlSeconds: ttl)
    cookie.path = path
    cookie.attributes = attributes
    return HashPolicySpec(.cookie(cookie), isTerminal: isTerminal)
  }

  static func query(_ name: String) -> HashPolicySpec { HashPolicySpec(.queryParameter(name)) }

  static func hash(_ text: String, seed: UInt64 = 0) -> UInt64 {
    Array(text.utf8).withUnsafeBufferPointer { bytes in
      xxHash64(bytes.baseAddress.map { ByteView($0, bytes.count) } ?? .empty, seed: seed)
    }
  }

  /// All values one after the other, each the seed of the next.
  static func chain(_ texts: String...) -> UInt64 { texts.reduce(0) { hash($1, seed: $0) } }

  /// Made by the proxy for the connection of these tests.
  static let made = hex(hash("192.0.2.7:5000[2001:db8::1]:443"))

  static func hex(_ value: UInt64) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }

  static func request(_ headers: (String, String)..., path: String = "/") -> TestRequest {
    TestRequest(path: path, headers: headers)
  }

  static let rows: [Row] = [
    Row(name: "no policy", policies: []),
    // Headers
    Row(name: "header", policies: [header("X-Key")], request: request(("x-key", "abc")), want: [0x44BC_2CF5_AD77_0999]),
    Row(name: "header is absent", policies: [header("x-key")], request: request(("x-other", "abc"))),
    Row(name: "header is empty", policies: [header("x-key")], request: request(("x-key", "")), want: [hash("")]),
    Row(
      name: "values are sorted and chained", policies: [header("x-key")],
      request: request(("x-key", "b"), ("x-other", "0"), ("x-key", "a"), ("x-key", "ab")), want: [chain("a", "ab", "b")]),
    Row(
      name: "values of a known header", policies: [header("accept")],
      request: request(("accept", "b"), ("accept", "a")), want: [chain("a", "b")]),
    Row(
      name: "equal values", policies: [header("x-key")],
      request: request(("x-key", "a"), ("x-key", "a")), want: [chain("a", "a")]),
    Row(
      name: "many values", policies: [header("x-key")],
      request: TestRequest(headers: (0..<40).map { ("x-key", "\(10 + ($0 * 17) % 40)") }),
      want: [(10..<50).reduce(0) { hash("\($1)", seed: $0) }]),
    Row(name: "host", policies: [header("host")], want: [hash("example.com")]),
    Row(name: "path", policies: [header(":path")], request: request(path: "/a?b"), want: [hash("/a?b")]),
    Row(
      name: "rewritten", policies: [header("x-key", RegexRewriteSpec(pattern: "([a-z]+)-\\d+", substitution: "\\1"))],
      request: request(("x-key", "user-42")), want: [hash("user")]),
    Row(
      name: "rewritten before they are sorted",
      policies: [header("x-key", RegexRewriteSpec(pattern: "^.", substitution: ""))],
      request: request(("x-key", "1b"), ("x-key", "2a")), want: [chain("a", "b")]),
    // Cookies
    Row(name: "cookie", policies: [cookie("c")], request: request(("cookie", "b=1; c=2; d=3")), want: [hash("2")]),
    Row(name: "cookie is absent", policies: [cookie("c")], request: request(("cookie", "cc=1; xc=2"))),
    Row(name: "cookie is empty", policies: [cookie("c")], request: request(("cookie", "c="))),
    Row(name: "cookie without equals sign", policies: [cookie("c")], request: request(("cookie", "c; =; ;"))),
    Row(name: "cookie's case", policies: [cookie("c")], request: request(("cookie", "C=1"))),
    Row(name: "cookie in quotes", policies: [cookie("c")], request: request(("cookie", "c=\"2\"")), want: [hash("2")]),
    Row(name: "one quote", policies: [cookie("c")], request: request(("cookie", "c=\"")), want: [hash("\"")]),
    Row(name: "white space of a value", policies: [cookie("c")], request: request(("cookie", "c= 2 ;d")), want: [hash(" 2 ")]),
    Row(name: "white space of a name", policies: [cookie("c")], request: request(("cookie", "c =2"))),
    Row(name: "equals sign in a value", policies: [cookie("c")], request: request(("cookie", "c=a=b")), want: [hash("a=b")]),
    Row(name: "the first of two", policies: [cookie("c")], request: request(("cookie", "c=1;c=2")), want: [hash("1")]),
    Row(
      name: "the first of two fields", policies: [cookie("c")],
      request: request(("cookie", "b=0"), ("cookie", "c=1"), ("cookie", "c=2")), want: [hash("1")]),
    Row(
      name: "cookie is made", policies: [cookie("c", ttl: 10, path: "/p", attributes: [.init(name: "Secure"), .init(name: "SameSite", value: "Lax")])],
      want: [hash(made)], cookies: ["c=\"\(made)\"; Max-Age=10; Path=/p; Secure; SameSite=Lax; HttpOnly"]),
    Row(
      name: "cookie of a session", policies: [cookie("c", ttl: 0)], request: request(("cookie", "c=")),
      want: [hash(made)], cookies: ["c=\"\(made)\"; HttpOnly"]),
    Row(
      name: "cookie is there", policies: [cookie("c", ttl: 10)], request: request(("cookie", "c=1")), want: [hash("1")]),
    Row(
      name: "two are made", policies: [cookie("a", ttl: 1), cookie("b", ttl: 2)],
      want: [hash(made), hash(made)], cookies: ["a=\"\(made)\"; Max-Age=1; HttpOnly", "b=\"\(made)\"; Max-Age=2; HttpOnly"]),
    // Source IP
    Row(name: "source IP", policies: [HashPolicySpec(.sourceIP)], want: [hash("203.0.113.9")]),
    // Query parameters
    Row(name: "parameter", policies: [query("k")], request: request(path: "/?a=1&k=2&k=3"), want: [hash("2")]),
    Row(name: "parameter is absent", policies: [query("k")], request: request(path: "/k=1?kk=2&K=3")),
    Row(name: "no query", policies: [query("k")]),
    Row(name: "parameter is empty", policies: [query("k")], request: request(path: "/?k=&a"), want: [hash("")]),
    Row(name: "parameter without value", policies: [query("k")], request: request(path: "/?k"), want: [hash("")]),
    Row(name: "parameter is not decoded", policies: [query("k")], request: request(path: "/?k=%31"), want: [hash("%31")]),
    Row(name: "fragment", policies: [query("k")], request: request(path: "/#?k=1")),
    // Several
    Row(
      name: "combined in order", policies: [header("a"), header("b"), HashPolicySpec(.sourceIP)],
      request: request(("b", "2"), ("a", "1")), want: [hash("1"), hash("2"), hash("203.0.113.9")]),
    Row(
      name: "the same twice", policies: [header("a"), header("a")], request: request(("a", "1")), want: [hash("1"), hash("1")]),
    Row(
      name: "absent ones are left out", policies: [header("x"), header("a"), header("x")], request: request(("a", "1")),
      want: [hash("1")]),
    Row(
      name: "terminal ends", policies: [header("a", isTerminal: true), cookie("c", ttl: 1)], request: request(("a", "1")),
      want: [hash("1")]),
    Row(
      name: "terminal without value goes on", policies: [header("a", isTerminal: true), header("b")],
      request: request(("b", "2")), want: [hash("2")]),
    Row(
      name: "terminal ends what others began", policies: [header("b"), header("x", isTerminal: true), header("a")],
      request: request(("a", "1"), ("b", "2")), want: [hash("2")]),
  ]

  @Test(arguments: rows)
  func value(row: Row) throws {
    let policies = try HashPolicies(compiling: row.policies)
    withRequest(row.request) { _, _, headers, arena in
      let result = policies.list.hash(UnsafePointer(headers), Self.client, arena: &arena.pointee)
      #expect(result.isSet == !row.want.isEmpty)
      #expect(result.value == row.want.reduce(0) { ($0 << 1 | $0 >> 63) ^ $1 })
      #expect(Self.cookies(result) == row.cookies)
    }
  }

  static var client: HashedClient {
    HashedClient(
      address: IPAddress("203.0.113.9"), remote: StreamInfo.Endpoint(ip: IPAddress("192.0.2.7"), port: 5000),
      local: StreamInfo.Endpoint(ip: IPAddress("2001:db8::1"), port: 443))
  }

  static func cookies(_ result: RequestHash) -> [String] {
    var found: [String] = []
    var next = result.cookies
    while let cookie = next {
      found.append(cookie.pointee.value.string)
      next = cookie.pointee.next
    }
    return found.reversed()
  }

  @Test func sourceThatIsNotIP() throws {
    let policies = try HashPolicies(compiling: [HashPolicySpec(.sourceIP), Self.cookie("c", ttl: 0)])
    let path = Array("/run/a.sock".utf8)
    try path.withUnsafeBufferPointer { bytes in
      let pipe = StreamInfo.Endpoint(ip: nil, port: 0, path: ByteView(try #require(bytes.baseAddress), bytes.count))
      let client = HashedClient(address: nil, remote: .none, local: pipe)
      withRequest(TestRequest()) { _, _, headers, arena in
        let result = policies.list.hash(UnsafePointer(headers), client, arena: &arena.pointee)
        let made = Self.hex(Self.hash("/run/a.sock"))
        #expect(result.value == Self.hash(made))
        #expect(Self.cookies(result) == ["c=\"\(made)\"; HttpOnly"])
      }
    }
  }

  @Test func errors() {
    let bad: [HashPolicySpec] = [
      Self.header("a b"),
      Self.header("x", RegexRewriteSpec(pattern: "(", substitution: "")),
      Self.header("x", RegexRewriteSpec(pattern: "a", substitution: "\\1")),
      Self.cookie("a;b", ttl: 1, path: "/\r\nx: y", attributes: [.init(name: "a b"), .init(name: "a", value: "x;y")]),
    ]
    let error = #expect(throws: RoutingErrors.self) { try HashPolicies(compiling: bad) }
    #expect(
      error?.errors.map(\.path) == [
        "[0].header.header_name", "[1].header.regex_rewrite.pattern.regex", "[2].header.regex_rewrite.substitution",
        "[3].cookie.name", "[3].cookie.path", "[3].cookie.attributes[0].name", "[3].cookie.attributes[1].value",
      ])
  }
}
