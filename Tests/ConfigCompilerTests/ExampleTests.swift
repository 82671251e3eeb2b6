import ConfigCompiler
import ConfigLoader
import Foundation
import Proxy
import Testing

@Suite struct ExampleTests {
  static let directory = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("examples")

  @Test(arguments: ["canary", "cors", "edge", "fault", "sidecar", "tcp", "tls-edge"])
  func compiles(name: String) throws {
    let file = Self.directory.appendingPathComponent("\(name).yaml")
    var bench = try Bench()
    let compilation = try bench.compile(String(decoding: Data(contentsOf: file), as: UTF8.self))
    #expect(!compilation.snapshot.listeners.isEmpty)
    #expect(compilation.admin != nil)
  }
}
