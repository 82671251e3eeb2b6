import ConfigSchema
import Foundation
import Glibc
import Testing

@testable import ConfigCompiler

@Suite struct DataSourceTests {
  private static func reader(in directory: String = "") -> DataSourceReader {
    var options = CompilerOptions(workerNames: [])
    options.baseDirectory = directory
    return DataSourceReader(options: options)
  }

  private static func source(
    _ set: (inout Envoy_Config_Core_V3_DataSource) -> Void
  ) -> Envoy_Config_Core_V3_DataSource {
    var source = Envoy_Config_Core_V3_DataSource()
    set(&source)
    return source
  }

  @Test func inlineAndEnvironment() throws {
    let reader = Self.reader()
    #expect(try reader.bytes(Self.source { $0.inlineString = "a\u{e9}" }) == Array("a\u{e9}".utf8))
    #expect(try reader.bytes(Self.source { $0.inlineBytes = .init([0, 255]) }) == [0, 255])
    #expect(try reader.bytes(Self.source { _ in }) == [])
    setenv("APUS_TEST_SOURCE", "value", 1)
    #expect(
      try reader.bytes(Self.source { $0.environmentVariable = "APUS_TEST_SOURCE" })
        == Array("value".utf8))
    #expect(throws: DataSourceReader.Failure(field: "environment_variable", reason: "\"APUS_TEST_NONE\" is not set")) {
      try reader.bytes(Self.source { $0.environmentVariable = "APUS_TEST_NONE" })
    }
  }

  @Test func files() throws {
    var template = Array("/tmp/apus-source-XXXXXX".utf8CString)
    let descriptor = mkstemp(&template)
    #expect(descriptor >= 0)
    let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    defer {
      close(descriptor)
      unlink(path)
    }
    let bytes = (0..<200_000).map { UInt8(truncatingIfNeeded: $0) }
    #expect(write(descriptor, bytes, bytes.count) == bytes.count)
    #expect(try Self.reader().bytes(Self.source { $0.filename = path }) == bytes)
    #expect(
      try Self.reader(in: "/tmp").bytes(Self.source { $0.filename = String(path.dropFirst(5)) })
        == bytes, "a relative name starts at the base directory")
    #expect(ftruncate(descriptor, DataSourceReader.fileBytesMax + 1) == 0)
    #expect(
      throws: DataSourceReader.Failure(
        field: "filename", reason: "cannot read \"\(path)\": it has more than 16777216 bytes")
    ) { try Self.reader().bytes(Self.source { $0.filename = path }) }
    #expect(
      throws: DataSourceReader.Failure(
        field: "filename", reason: "cannot read \"/tmp\": Is a directory")
    ) { try Self.reader().bytes(Self.source { $0.filename = "/tmp" }) }
  }
}
