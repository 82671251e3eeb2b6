import ConfigLoader
import ConfigSchema
import Primitives
import Proxy
import Testing

@testable import ConfigCompiler

/// What `filter_chain_match` becomes, and what is wrong with it.
@Suite struct ChainMatchTests {
  private static let place = "static_resources.listeners[0].filter_chains"

  /// A listener with a chain for each match.
  private static func text(_ matches: [String]) -> String {
    let chains = matches.map {
      """
              - filter_chain_match: { \($0) }
                filters: [{ name: d, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.network.direct_response.v3.Config } }]

      """
    }
    return Fixture.bootstrap(
      listeners: """
            - name: l
              address: { socket_address: { address: 127.0.0.1, port_value: 1 } }
              filter_chains:

        """ + chains.joined())
  }

  /// Without location.
  private static func errors(_ matches: [String]) throws -> [String] {
    var bench = try Bench()
    return try bench.errors(text(matches)).map {
      String($0[($0.firstRange(of: ": ")?.upperBound ?? $0.startIndex)...])
    }
  }

  @Test func whatAClientHelloTellsBringsTheInspector() throws {
    for field in ["server_names: [x.test]", "transport_protocol: tls", "application_protocols: [h2]"] {
      var bench = try Bench()
      let compilation = try bench.compile(Self.text([field]))
      let name = try #require(field.split(separator: ":").first)
      #expect(compilation.warnings.map(\.message) == ["filter_chains[0] matches \(name); tls_inspector is added"])
      #expect(compilation.snapshot.listeners[0].pointer.pointee.listenerFilters == .tlsInspector)
      #expect(compilation.snapshot.listeners[0].pointer.pointee.inspectorStats != nil)
    }
  }

  @Test func criteriaArrive() throws {
    let loaded = try load(
      Self.text([
        "server_names: [WWW.Example.com, \"*.Test\"], transport_protocol: tls, application_protocols: [h2, X]",
        "transport_protocol: raw_buffer, destination_port: 8",
      ]))
    let pass = CompilerPass(
      loaded, CompilerOptions(workerNames: ["worker_0"]), CompilerState())
    let criteria = pass.chainCriteria(loaded.bootstrap.staticResources.listeners[0], "l")
    var first = FilterChainMatcher.Criteria()
    first.serverNames = ["www.example.com", "*.test"]
    first.transport = .tls
    first.protocols = ["h2", "X"]
    var second = FilterChainMatcher.Criteria()
    second.transport = .plain
    second.destinationPort = 8
    #expect(criteria == [first, second])
  }

  struct Mistake: CustomTestStringConvertible {
    var match: String
    var line: String?
    var testDescription: String { match }

    init(_ match: String, _ line: String? = nil) {
      self.match = match
      self.line = line
    }
  }

  @Test(arguments: [
    Mistake("server_names: [a.test, \"*.a.test\", a-1_.test, \"*.test\"]"),
    Mistake(
      "server_names: [a.test, \"*w.example.com\"]",
      "server_names[1]: \"*w.example.com\": a wildcard stands for whole labels at the front (\"*.example.com\")"),
    Mistake(
      "server_names: [\"*.*.test\"]",
      "server_names[0]: \"*.*.test\": a wildcard stands for whole labels at the front (\"*.example.com\")"),
    Mistake(
      "server_names: [www.*]",
      "server_names[0]: \"www.*\": a wildcard stands for whole labels at the front (\"*.example.com\")"),
    Mistake(
      "server_names: [\"*\"]", "server_names[0]: \"*\": a chain that takes every name gives no server_names"),
    Mistake("server_names: [\"\"]", "server_names[0]: \"\" is not a host name"),
    Mistake("server_names: [\"*.\"]", "server_names[0]: \"*.\" is not a host name"),
    Mistake("server_names: [.a.test]", "server_names[0]: \".a.test\" is not a host name"),
    Mistake("server_names: [\"a.test:443\"]", "server_names[0]: \"a.test:443\" is not a host name"),
    Mistake(
      "transport_protocol: quic",
      "transport_protocol: \"quic\" is not a transport; \"tls\" and \"raw_buffer\" are"),
    Mistake("transport_protocol: raw_buffer"),
    Mistake(
      "application_protocols: [h2, \"\"]",
      "application_protocols[1]: a protocol's name has 1 to 255 bytes"),
  ])
  func mistakes(_ mistake: Mistake) throws {
    #expect(
      try Self.errors([mistake.match])
        == (mistake.line.map { ["\(Self.place)[0].filter_chain_match.\($0)"] } ?? []))
  }

  struct Pair: CustomTestStringConvertible {
    var first: String
    var second: String
    var overlap: Bool
    var testDescription: String { "\(first) / \(second)" }

    init(_ first: String, _ second: String, overlap: Bool) {
      self.first = first
      self.second = second
      self.overlap = overlap
    }
  }

  @Test(arguments: [
    Pair("server_names: [a.test, b.test]", "server_names: [c.test, B.test]", overlap: true),
    Pair("server_names: [a.test]", "server_names: [\"*.test\"]", overlap: false),
    Pair("server_names: [a.test]", "", overlap: false),
    Pair("server_names: [\"*.test\"]", "server_names: [\"*.test\"]", overlap: true),
    Pair("server_names: [a.test, b.test]", "server_names: [a.test, b.test]", overlap: true),
    Pair(
      "server_names: [a.test], source_ports: [1]", "server_names: [a.test], source_ports: [2]",
      overlap: false),
    Pair("transport_protocol: tls", "transport_protocol: tls", overlap: true),
    Pair("transport_protocol: tls", "transport_protocol: raw_buffer", overlap: false),
    Pair("transport_protocol: tls", "", overlap: false),
    Pair("application_protocols: [h2, x]", "application_protocols: [x]", overlap: true),
    Pair("application_protocols: [h2]", "application_protocols: [x]", overlap: false),
    Pair("application_protocols: [h2]", "", overlap: false),
    Pair(
      "server_names: [a.test], application_protocols: [h2]",
      "server_names: [b.test], application_protocols: [h2]", overlap: false),
    Pair("destination_port: 1", "destination_port: 1", overlap: true),
    Pair("source_type: EXTERNAL", "source_type: SAME_IP_OR_LOOPBACK", overlap: false),
  ])
  func overlaps(_ pair: Pair) throws {
    #expect(
      try Self.errors([pair.first, pair.second])
        == (pair.overlap
          ? ["\(Self.place)[1].filter_chain_match: filter_chains[0] matches the same connections"] : []))
  }
}
