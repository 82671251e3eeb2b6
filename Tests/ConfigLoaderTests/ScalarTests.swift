import ConfigLoader
import ConfigSchema
import SwiftProtobuf
import Testing

@Suite struct ScalarTests {
  @Test(arguments: [
    ("1", Google_Protobuf_Value(numberValue: 1)),
    ("-1.5e3", Google_Protobuf_Value(numberValue: -1500)),
    ("0x10", Google_Protobuf_Value(numberValue: 16)),
    ("0o10", Google_Protobuf_Value(numberValue: 8)),
    (".5", Google_Protobuf_Value(numberValue: 0.5)),
    ("-.inf", Google_Protobuf_Value(numberValue: -.infinity)),
    ("010", Google_Protobuf_Value(stringValue: "010")),
    ("1.2.3.4", Google_Protobuf_Value(stringValue: "1.2.3.4")),
    ("1_000", Google_Protobuf_Value(stringValue: "1_000")),
    ("e", Google_Protobuf_Value(stringValue: "e")),
    ("nan", Google_Protobuf_Value(stringValue: "nan")),
    ("'1'", Google_Protobuf_Value(stringValue: "1")),
    ("!!str 1", Google_Protobuf_Value(stringValue: "1")),
    ("!!int '1'", Google_Protobuf_Value(numberValue: 1)),
    ("yes", Google_Protobuf_Value(boolValue: true)),
    ("Off", Google_Protobuf_Value(boolValue: false)),
    ("Null", Google_Protobuf_Value()),
  ])
  func dynamicValues(text: String, expected: Google_Protobuf_Value) throws {
    let bootstrap = try load("node: {metadata: {k: \(text)}}").bootstrap
    var wanted = expected
    if wanted.kind == nil { wanted.kind = .nullValue(.nullValue) }
    #expect(bootstrap.node.metadata.fields["k"] == wanted)
  }

  @Test(arguments: [
    ("1s", 1, 0), ("0.25s", 0, 250_000_000), ("10.000000001s", 10, 1), ("'0.5s'", 0, 500_000_000),
    ("{seconds: 2, nanos: 7}", 2, 7),
  ])
  func durations(text: String, seconds: Int64, nanoseconds: Int32) throws {
    let bootstrap = try load("stats_flush_interval: \(text)").bootstrap
    #expect(bootstrap.statsFlushInterval == .init(seconds: seconds, nanos: nanoseconds))
  }

  @Test(arguments: ["1", "1 s", "s", ".5s", "1.s", "1.0000000001s", "+1s", "1m", "--1s", "1e1s"])
  func badDurations(text: String) {
    let found = lines("stats_flush_interval: \(text)")
    #expect(found.count == 1)
    #expect(found.first?.contains("expected a duration like 0.25s") == true, "\(found)")
  }

  @Test(arguments: [
    ("-9223372036854775808", Int64.min), ("9223372036854775807", Int64.max), ("-0", 0),
    ("'7'", 7), ("7.0", 7), ("7e2", 700),
  ])
  func signedIntegers(text: String, expected: Int64) throws {
    let bootstrap = try load(
      """
      admin: {access_log: [{name: a, filter: {header_filter: {header:
        {name: h, range_match: {start: \(text)}}}}}]}
      """
    ).bootstrap
    #expect(
      bootstrap.admin.accessLog[0].filter.headerFilter.header.rangeMatch.start == expected)
  }

  @Test(arguments: ["9223372036854775808", "-9223372036854775809", "1e30"])
  func signedIntegersOutOfRange(text: String) {
    let found = lines(
      """
      admin: {access_log: [{name: a, filter: {header_filter: {header:
        {name: h, range_match: {start: \(text)}}}}}]}
      """)
    #expect(found.count == 1)
    #expect(found.first?.contains("is out of range") == true, "\(found)")
  }
}
