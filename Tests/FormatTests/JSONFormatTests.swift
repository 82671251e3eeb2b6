import Format
import HTTPCore
import Testing

@Suite struct JSONFormatTests {
  static let shape: [String: FormatJSON] = [
    "b": .text("%RESPONSE_CODE%"), "a": .text("%REQ(nope)%"), "c": .text("x %REQ(nope)%"),
    "d": .object(["z": .text("%REQ(nope)%")]),
    "l": .list([.text("%DURATION%"), .text("%REQ(nope)%"), .text("s")]),
    "cc": .text("%CUSTOM_FLAGS%"), "env": .text("%ENVIRONMENT(NOPE)%"),
  ]

  /// As Envoy 1.40 writes the same format.
  @Test(arguments: [
    (false, #"{"a":null,"b":503,"c":"x -","cc":"","d":{"z":null},"env":"-","l":[25,null,"s"]}"#),
    (true, #"{"b":503,"c":"x ","cc":"","env":"-","l":[25,"s"]}"#),
  ])
  func shapes(omits: Bool, want: String) throws {
    let formatter = try Formatter(json: Self.shape, omitEmptyValues: omits, environment: environment)
    withContext(sampleStream()) { context, _, _ in
      #expect(output(formatter, context) == want + "\n")
    }
  }

  @Test(arguments: [
    ("plain", #"plain"#), ("a\"b\\c", #"a\"b\\c"#), ("t\tn\nr\rb\u{8}f\u{c}", #"t\tn\nr\rb\bf\f"#),
    ("\u{1}\u{1f}\u{7f}", #"\u0001\u001f\u007f"#), ("\u{c3}\u{a9}", "é"),
    ("a\u{c3}\u{a9}\u{ff}", #"a\u00c3\u00a9\u00ff"#), ("\u{ed}\u{a0}\u{80}", #"\u00ed\u00a0\u0080"#),
    ("\u{f0}\u{9f}\u{90}\u{a6}", "🐦"), ("\u{c0}\u{af}", #"\u00c0\u00af"#), ("\u{e2}\u{82}", #"\u00e2\u0082"#),
  ])
  func escapes(raw: String, want: String) throws {
    let formatter = try Formatter(json: ["v": .text("%REQ(v)%"), "w": .text("<%REQ(v)%>")])
    withContext(StreamInfo(), request: [("v", raw)]) { context, _, _ in
      #expect(output(formatter, context) == "{\"v\":\"\(want)\",\"w\":\"<\(want)>\"}\n")
    }
  }

  /// A time format may hold anything but a line feed.
  @Test(arguments: [("%Y\"%t\\\u{1}\u{7f}é", #"1970\"\t\\\u0001\u007fé"#), ("%Y", "1970")])
  func escapesTimes(format: String, want: String) throws {
    let formatter = try Formatter(json: ["v": .text("%START_TIME(\(format))%")])
    withContext(StreamInfo()) { context, _, _ in
      #expect(output(formatter, context) == "{\"v\":\"\(want)\"}\n")
    }
  }

  @Test func constants() throws {
    let formatter = try Formatter(json: [
      "k\"q": .text("lit %%"), "n": .number(5), "f": .number(1.5), "t": .bool(true), "z": .null,
      "e": .object([:]), "l": .list([]), "empty": .text(""),
    ])
    withContext(StreamInfo()) { context, _, _ in
      #expect(
        output(formatter, context)
          == #"{"e":{},"empty":"","f":1.5,"k\"q":"lit %","l":[],"n":5,"t":true,"z":null}"# + "\n")
    }
  }

  @Test func everythingOmitted() throws {
    let formatter = try Formatter(json: ["a": .text("%REQ(x)%")], omitEmptyValues: true)
    withContext(StreamInfo()) { context, _, _ in #expect(output(formatter, context) == "{}\n") }
  }
}
