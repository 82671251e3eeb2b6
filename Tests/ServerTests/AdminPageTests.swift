import Glibc
import Primitives
import Testing

@testable import Server

/// The pages through a real worker and a raw client.
@Suite struct AdminPageTests {
  @Test(arguments: [
    (AdminState.live, 200, "LIVE\n"), (.draining, 503, "DRAINING\n"),
    (.preInitializing, 503, "PRE_INITIALIZING\n"), (.initializing, 503, "INITIALIZING\n"),
  ])
  func ready(state: AdminState, status: Int, body: String) throws {
    let harness = try AdminHarness()
    harness.delegate.state = state
    let reply = try harness.get("/ready")
    #expect(reply.status == status)
    #expect(reply.body == body)
    #expect(reply.headers["content-type"] == "text/plain; charset=UTF-8")
    #expect(reply.headers["cache-control"] == "no-cache, max-age=0")
    #expect(reply.headers["x-content-type-options"] == "nosniff")
  }

  @Test func headHasNoBody() throws {
    let harness = try AdminHarness()
    for target in ["/ready", "/stats", "/clusters"] {
      let reply = try harness.get(target, method: "HEAD")
      #expect(reply.status == 200)
      #expect(reply.body.isEmpty)
    }
  }

  @Test func pipelinedRequestsAreAnsweredInOrder() throws {
    let harness = try AdminHarness()
    let client = try AdminClient(port: harness.port)
    client.send(
      "GET /stats?filter=nothing HTTP/1.1\r\nhost: a\r\n\r\n"
        + "POST /healthcheck/fail HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc"
        + "GET /ready HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
    try harness.turn(while: { client.receive() })
    let text = String(decoding: client.received, as: UTF8.self)
    #expect(text.split(separator: "HTTP/1.1 200 OK").count == 3)
    #expect(text.hasSuffix("LIVE\n"))
    #expect(harness.delegate.calls == ["fails true"])
  }

  @Test func unknownPathsListThePages() throws {
    let harness = try AdminHarness()
    for target in ["/nope", "/ready/", "/stats/x", "/%2e%2e/ready"] {
      let reply = try harness.get(target)
      #expect(reply.status == 404)
      #expect(reply.body.hasPrefix("invalid path. admin commands are:\n  /: Admin home page\n"))
      #expect(reply.body.contains("\n  /quitquitquit (POST): exit the server\n"))
    }
  }

  @Test func homePageHasLinksAndButtons() throws {
    let reply = try AdminHarness().get("/")
    #expect(reply.headers["content-type"] == "text/html; charset=UTF-8")
    #expect(reply.body.contains("<a href=\"stats/prometheus\">"))
    #expect(reply.body.contains("<form action=\"healthcheck/fail\" method=\"post\">"))
  }

  // MARK: Changes

  static let changes: [(target: String, call: String)] = [
    ("/healthcheck/fail", "fails true"), ("/healthcheck/ok", "fails false"),
    ("/quitquitquit", "quit"), ("/reopen_logs", "reopen"), ("/reset_counters", "reset"),
    ("/reload", "reload"),
    ("/drain_listeners", "drain graceful false inbound false skip false"),
    ("/drain_listeners?graceful", "drain graceful true inbound false skip false"),
    ("/drain_listeners?inboundonly&skip_exit", "drain graceful false inbound true skip true"),
  ]

  @Test(arguments: changes)
  func changesWantPost(target: String, call: String) throws {
    let harness = try AdminHarness()
    for method in ["GET", "PUT", "OPTIONS"] {
      let reply = try harness.get(target, method: method)
      #expect(reply.status == 405)
      #expect(reply.body == "Method \(method) not allowed, POST required.")
    }
    #expect(harness.delegate.calls.isEmpty)
    let reply = try harness.get(target, method: "POST", body: "ignored")
    #expect(reply.status == 200)
    #expect(reply.body.hasPrefix("OK"))
    #expect(harness.delegate.calls == [call])
  }

  @Test func aRefusedReloadSaysWhy() throws {
    let harness = try AdminHarness()
    harness.delegate.reloadOutcome = .refused("edge.yaml:3:1: unknown field \"prefx\"")
    let reply = try harness.get("/reload", method: "POST")
    #expect(reply.status == 400)
    #expect(reply.body == "edge.yaml:3:1: unknown field \"prefx\"\n")
  }

  // MARK: Logging

  @Test(arguments: [
    ("level=bad", "unknown logger level"), ("main=bad", "unknown logger level"),
    ("nosuch=info", "unknown logger name"), ("level=info&main=debug", "invalid number of parameters"),
    ("paths=main:debug,nosuch:info", "unknown logger name"), ("paths=main", "unknown logger level"),
  ])
  func badLevelsChangeNothing(query: String, fault: String) throws {
    let harness = try AdminHarness()
    let reply = try harness.get("/logging?\(query)", method: "POST")
    #expect(reply.status == 400)
    #expect(reply.body.hasPrefix("error: \(fault)\n\nusage: /logging?<name>=<level>"))
    #expect(harness.delegate.log?.loggers.allSatisfy { $0.level == .info } == true)
  }

  @Test func levelsCanBeSet() throws {
    let harness = try AdminHarness()
    #expect(
      try harness.get("/logging?paths=main:debug,admin:off", method: "POST").body
        == """
        active loggers:
          admin: off
          config: info
          listener: info
          logging: info
          main: debug
          stats: info
          upstream: info
          worker: info


        """)
    #expect(try harness.get("/logging?main=trace", method: "POST").body.contains("  main: trace\n"))
    _ = try harness.get("/logging?level=warning", method: "POST")
    #expect(harness.delegate.log?.loggers.allSatisfy { $0.level == .warning } == true)
  }

  // MARK: Lists

  @Test func listeners() throws {
    let harness = try AdminHarness()
    harness.delegate.listeners = [
      AdminListener(
        name: "edge", addresses: [.ip(IPAddress(v4: 0x7F00_0001), port: 8080), .pipe("/run/a")])
    ]
    #expect(try harness.get("/listeners").body == "edge::127.0.0.1:8080\nedge::/run/a\n")
    #expect(
      try harness.get("/listeners?format=json").body
        == """
        {
         "listener_statuses": [
          {
           "name": "edge",
           "local_address": {
            "socket_address": {
             "address": "127.0.0.1",
             "port_value": 8080
            }
           },
           "additional_local_addresses": [
            {
             "pipe": {
              "path": "/run/a"
             }
            }
           ]
          }
         ]
        }

        """)
  }

  @Test func clusters() throws {
    let harness = try AdminHarness()
    try harness.delegate.addCluster("backend", hostCount: 20)
    try harness.delegate.addCluster("empty", hostCount: 0)
    let text = try harness.get("/clusters").body
    let lines = text.split(separator: "\n")
    #expect(lines.count == 2 * 19 + 20 * 18)
    #expect(lines.first == "backend::observability_name::backend")
    for line in [
      "backend::high_priority::max_retries::3", "backend::10.0.0.20:80::cx_total::3",
      "backend::10.0.0.1:80::rq_active::1", "backend::10.0.0.1:80::health_flags::healthy",
      "backend::10.0.0.1:80::sub_zone::", "empty::added_via_api::false",
    ] {
      #expect(lines.contains(Substring(line)))
    }
    #expect(try harness.get("/clusters?filter=^em").body.split(separator: "\n").count == 19)
    let bad = try harness.get("/clusters?filter=(")
    #expect(bad.status == 400)
    #expect(bad.body == "Invalid re2 regex\n")
  }

  @Test func clustersAsJSON() throws {
    let harness = try AdminHarness()
    #expect(try harness.get("/clusters?format=json").body == "{}\n")
    try harness.delegate.addCluster("backend", hostCount: 2)
    try harness.delegate.addCluster("empty", hostCount: 0)
    let reply = try harness.get("/clusters?format=json")
    #expect(reply.headers["content-type"] == "application/json")
    let tree = try #require(JSONReader.read(reply.body))
    let statuses = try #require(tree["cluster_statuses"]?.elements)
    #expect(statuses.map { $0["name"]?.text } == ["backend", "empty"])
    #expect(statuses[1]["host_statuses"] == nil)
    let hosts = try #require(statuses[0]["host_statuses"]?.elements)
    #expect(hosts.count == 2)
    #expect(hosts[1]["address"]?["socket_address"]?["address"]?.text == "10.0.0.2")
    #expect(
      hosts[0]["stats"]?.elements?.first
        == .object([.init("value", .string("3")), .init("name", .string("cx_connect_fail"))]))
    // Printed step by step or at once: the same text.
    var printed: [UInt8] = []
    tree.print(into: &printed)
    #expect(String(decoding: printed, as: UTF8.self) + "\n" == reply.body)
  }

  @Test func serverInfo() throws {
    let harness = try AdminHarness()
    try harness.delegate.configure(#"{"node": {"id": "n1", "cluster": "c1"}}"#)
    let tree = try #require(JSONReader.read(try harness.get("/server_info").body))
    #expect(tree["version"]?.text == "1.2.3")
    #expect(tree["state"]?.text == "LIVE")
    #expect(tree["uptime_current_epoch"]?.text == "65s")
    #expect(tree["command_line_options"]?["concurrency"] == .number("2"))
    #expect(tree["command_line_options"]?["disable_hot_restart"] == .bool(true))
    #expect(tree["node"]?["id"]?.text == "n1")
  }

  // tools/sanitize sets the variable: the address sanitizer's malloc answers no such questions.
  @Test(.disabled(if: getenv("ASAN_OPTIONS") != nil, "the address sanitizer has a malloc of its own"))
  func memoryIsNotNothing() throws {
    let tree = try #require(JSONReader.read(try AdminHarness().get("/memory").body))
    for name in ["allocated", "heap_size", "total_physical_bytes"] {
      #expect((tree[name]?.text.flatMap { UInt64($0) } ?? 0) > 100_000)
    }
  }

  @Test(arguments: [
    ("/certs", "{\n \"certificates\": []\n}\n"),
    ("/runtime", "{\n \"entries\": {},\n \"layers\": []\n}\n"), ("/hot_restart_version", "disabled"),
  ])
  func smallPages(target: String, body: String) throws {
    #expect(try AdminHarness().get(target).body == body)
  }
}
