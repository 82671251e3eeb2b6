import ConfigCompiler
import ConfigLoader
import Foundation
import Proxy
import TLS
import Testing

/// Secrets in files, as they are read, used and replaced. The files themselves: `Tests/EndToEnd/test_tls_secrets.py`.
@Suite struct SecretTests {
  /// A directory with the secret of the examples, and a bootstrap that takes its certificate from there.
  final class Files {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("secrets-\(UUID().uuidString)")
    let secret: String
    let good: String

    init() throws {
      try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
      secret = directory.appendingPathComponent("edge.yaml").path
      let example = ExampleTests.directory.appendingPathComponent("secrets/edge.yaml")
      good = String(decoding: try Data(contentsOf: example), as: UTF8.self)
      try write(good)
    }

    deinit { try? FileManager.default.removeItem(at: directory) }

    func write(_ text: String) throws { try text.write(toFile: secret, atomically: true, encoding: .utf8) }

    func bootstrap(_ name: String = "edge", source: String = "", chains: Int = 1) -> String {
      let chain = """
              - filter_chain_match: { server_names: [NUMBER.example] }
                transport_socket:
                  name: tls
                  typed_config:
                    "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
                    common_tls_context:
                      tls_certificate_sds_secret_configs:
                      - { name: \(name), sds_config: { path_config_source: { path: \(secret)\(source) } } }
                filters:
                - name: direct
                  typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.network.direct_response.v3.Config }
        """
      let all = (0..<chains).map { chain.replacingOccurrences(of: "NUMBER", with: "n\($0)") }.joined(separator: "\n")
      return """
        static_resources:
          listeners:
          - name: edge
            address: { socket_address: { address: 127.0.0.1, port_value: 8443 } }
            filter_chains:
        \(all)
        """
    }
  }

  private func read(_ loaded: LoadedConfiguration) -> SecretBatch {
    SecretReader(CompilerOptions(workerNames: [])).read(loaded)
  }

  private func digest(_ bench: Bench) -> [UInt8]? {
    bench.compiler.inventories.first?.certificates.first?.facts.digest
  }

  @Test func isTakenAndCounted() throws {
    let files = try Files()
    var bench = try Bench()
    _ = try bench.compile(files.bootstrap())
    #expect(bench.compiler.inventories.first?.certificates.first?.name == "edge")
    #expect(bench.value("sds.edge.update_success") == 1)
    #expect(bench.value("listener.127.0.0.1_8443.server_ssl_socket_factory.ssl_context_update_by_sds") == 1)
    #expect((bench.value("listener.127.0.0.1_8443.ssl.certificate.edge.expiration_unix_time_seconds") ?? 0) > 1_800_000_000)
  }

  @Test func theSameAgainIsNoChange() throws {
    let files = try Files()
    var bench = try Bench()
    let loaded = try load(files.bootstrap())
    _ = try bench.compile(loaded)
    let batch = read(loaded)
    #expect(bench.compiler.update(batch, updated: Set(batch.keys), in: loaded).isEmpty)
    #expect(bench.value("sds.edge.update_attempt") == 2)
    #expect(bench.value("sds.edge.update_success") == 2)
    #expect(bench.value("listener.127.0.0.1_8443.server_ssl_socket_factory.ssl_context_update_by_sds") == 1)
  }

  @Test(arguments: [
    ("{ nothing", "update_failure"), ("unknown: 1", "update_rejected"), ("resources: []", "update_rejected"),
    ("", "update_rejected"), ("\u{0}", "update_failure"),
  ])
  func whatIsRefusedLeavesTheOld(text: String, counter: String) throws {
    let files = try Files()
    var bench = try Bench()
    let loaded = try load(files.bootstrap())
    _ = try bench.compile(loaded)
    let before = digest(bench)
    try files.write(text)
    let batch = read(loaded)
    let changes = bench.compiler.update(batch, updated: Set(batch.keys), in: loaded)
    guard case .refused(let diagnostics)? = changes.first?.outcome else {
      Issue.record("taken")
      return
    }
    #expect(!diagnostics.isEmpty && changes.count == 1)
    #expect(before != nil && digest(bench) == before)
    for name in ["update_failure", "update_rejected", "key_rotation_failed"] {
      #expect(bench.value("sds.edge.\(name)") == (name == counter ? 1 : 0))
    }
  }

  @Test func errorsHaveTheirPlaceInTheSecretsFile() throws {
    let files = try Files()
    try files.write(files.good.replacingOccurrences(of: "MII", with: "MXX"))
    var bench = try Bench()
    let errors = try bench.errors(files.bootstrap())
    #expect(errors.contains { $0.hasPrefix("\(files.secret):") && $0.contains("resources[0].tls_certificate") })
  }

  @Test func aFailureIsSaidOnceForAllWhoUseIt() throws {
    let files = try Files()
    try files.write("resources: []")
    var bench = try Bench()
    let errors = try bench.errors(files.bootstrap(chains: 3))
    #expect(errors.count { $0.contains("there is no secret") } == 1)
  }

  @Test func placesToWatch() throws {
    let files = try Files()
    var bench = try Bench()
    _ = try bench.compile(files.bootstrap())
    let own = bench.compiler.watchedPlaces.keys.map { "\($0.directory) \($0.name ?? "*")" }
    #expect(own == ["\(files.directory.path) edge.yaml"])
    _ = try bench.compile(files.bootstrap(source: ", watched_directory: { path: /run/watched }"))
    #expect(bench.compiler.watchedPlaces.keys.map { "\($0.directory) \($0.name ?? "*")" } == ["/run/watched *"])
    let named = """
      resources:
      - "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret
        name: edge
        tls_certificate: { certificate_chain: { filename: /nowhere/a/tls.crt }, private_key: { filename: /nowhere/b/tls.key } }
      """
    try files.write(named)
    let loaded = try load(files.bootstrap(source: ", watched_directory: { path: /run/watched }"))
    _ = bench.compiler.update(read(loaded), updated: [], in: loaded)
    let places = bench.compiler.watchedPlaces.keys.map { "\($0.directory) \($0.name ?? "*")" }.sorted()
    #expect(places == ["/nowhere/a *", "/nowhere/b *", "/run/watched *"], "files that are to come are watched too")
  }

  @Test func secretsOfAConfigurationGoWithIt() throws {
    let files = try Files()
    var bench = try Bench()
    _ = try bench.compile(files.bootstrap())
    _ = try bench.compile(Fixture.bootstrap(listeners: Fixture.http("web"), clusters: Fixture.cluster("a")))
    #expect(bench.compiler.watchedPlaces.isEmpty)
    #expect(bench.compiler.inventories.isEmpty)
    #expect(!bench.metricNames.contains { $0.hasPrefix("sds.") })
  }
}
