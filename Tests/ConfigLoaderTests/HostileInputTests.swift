import ConfigLoader
import ConfigSchema
import SwiftProtobuf
import Testing

@Suite struct HostileInputTests {
  @Test func aliasBombIsRefused() {
    var text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    for level in 1...12 {
      let uses = [String](repeating: "*a\(level - 1)", count: 10).joined(separator: ", ")
      text += "a\(level): &a\(level) [\(uses)]\n"
    }
    let found = lines(text)
    #expect(found.count == 1)
    #expect(found.first?.contains("aliases expand to more than 1000000 values") == true)
  }

  @Test func aliasBombInAKeyIsRefused() {
    var text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    for level in 1...12 {
      let uses = [String](repeating: "*a\(level - 1)", count: 10).joined(separator: ", ")
      text += "a\(level): &a\(level) [\(uses)]\n"
    }
    #expect(
      lines(text + "? *a12\n: 1\n") == [
        "a.yaml:1:1: too many aliases in a text that uses lists or mappings as keys"
      ])
  }

  @Test(arguments: [101, 900, 1_500, 100_000])
  func deepNestingIsRefused(depth: Int) {
    let texts = [
      String(repeating: "[", count: depth) + String(repeating: "]", count: depth),
      String(repeating: "{a: ", count: depth) + "1" + String(repeating: "}", count: depth),
      String(repeating: "- ", count: depth) + "a",
    ]
    for text in texts {
      let found = lines(text)
      #expect(found.count == 1)
      #expect(
        found.first?.contains("nested deeper than 100 levels") == true
          || found.first?.contains("nesting level") == true, "\(found)")
    }
  }

  @Test func nestingUpToTheLimitLoads() throws {
    // Five levels lead to the value.
    let depth = Limits.nestingMax - 5
    let value = String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
    let bootstrap = try load(
      "layered_runtime: {layers: [{name: a, static_layer: {a: \(value)}}]}"
    ).bootstrap
    #expect(bootstrap.layeredRuntime.layers[0].staticLayer.fields["a"] != nil)
  }

  @Test func oversizeIsRefused() {
    let source = ConfigurationSource(
      name: "big", bytes: [UInt8](repeating: 0x20, count: Limits.sourceBytesMax + 1))
    guard case .failed(let diagnostics) = ConfigurationLoader.load([source]) else {
      Issue.record("loaded")
      return
    }
    #expect(diagnostics.map(\.description) == ["big:1:1: larger than 64 MiB"])
  }

  @Test func invalidUTF8IsLocated() {
    let source = ConfigurationSource(name: "a", bytes: Array("node:\n  id: ".utf8) + [0xFF, 0x0A])
    guard case .failed(let diagnostics) = ConfigurationLoader.load([source]) else {
      Issue.record("loaded")
      return
    }
    #expect(diagnostics.map(\.description) == ["a:2:7: not valid UTF-8"])
  }

  /// The library ends lines at more than line feeds; so do places that we work out.
  @Test(arguments: [
    ("a: b\r", 2, 1), ("a: b\r\n", 2, 1), ("a: b\u{85}cc", 2, 3), ("a: b\u{2028}\r", 3, 1),
  ])
  func invalidUTF8IsLocatedBehindAnyLineBreak(text: String, line: Int, column: Int) {
    let source = ConfigurationSource(name: "a", bytes: Array(text.utf8) + [0xFF])
    guard case .failed(let diagnostics) = ConfigurationLoader.load([source]) else {
      Issue.record("loaded")
      return
    }
    #expect(diagnostics.map(\.description) == ["a:\(line):\(column): not valid UTF-8"])
  }

  /// The library names a column far behind the text when that ends in a lone carriage return.
  @Test(arguments: [("'x\r", 2), ("'x\r\r", 3), ("'x\n\n", 3)])
  func aFaultAtTheEndIsWithinTheText(text: String, line: Int) {
    let source = ConfigurationSource(name: "a", bytes: Array(text.utf8))
    guard case .failed(let diagnostics) = ConfigurationLoader.load([source]) else {
      Issue.record("loaded")
      return
    }
    #expect(diagnostics.map { $0.location?.description } == ["a:\(line):1"])
  }

  @Test func aFloodOfErrorsIsBounded() {
    let text = (0..<5_000).map { "zz\($0): 1" }.joined(separator: "\n")
    let found = lines(text)
    #expect(found.count == Limits.diagnosticsMax + 1)
    #expect(found.last == "and 4000 more like these")
  }

  @Test func missingFileIsReported() {
    for (path, reason) in [("/nonexistent/apus.yaml", "No such file or directory"), ("/tmp", "Is a directory")] {
      let error = #expect(throws: Diagnostic.self) { try ConfigurationSource(path: path) }
      #expect(error?.description == "cannot read \(path): \(reason)")
    }
  }

  /// Thousands of damaged copies of a good file: every one is loaded or refused, none crashes.
  @Test func corruptionsNeverCrash() {
    let original = Array(EdgeFixture.text.utf8)
    let pieces: [[UInt8]] = [
      "[", "]", "{", "}", ": ", "- ", "\n", "\"", "'", "*a ", "&a ", "<<: ", "!!", "0x", "-", "~",
      "\t", "\\u", "%", "|", ">", "? ", "\"@type\": ", "999999999999999999999", "1e400", "s",
      "\u{0}", "\u{FEFF}", "---\n", "...",
    ].map { Array($0.utf8) }
    var random = SplitMix64(state: 0x5EED)
    var outcomes = (loaded: 0, failed: 0)
    for _ in 0..<2_000 {
      var bytes = original
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        let position = Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0..<5, using: &random) {
        case 0: bytes[position] = UInt8.random(in: 0...255, using: &random)
        case 1: bytes.remove(at: position)
        case 2:
          let piece = pieces[Int.random(in: 0..<pieces.count, using: &random)]
          bytes.insert(contentsOf: piece, at: position)
        case 3:
          let end = min(bytes.count, position + Int.random(in: 1...40, using: &random))
          bytes.removeSubrange(position..<end)
        default:
          let end = min(bytes.count, position + Int.random(in: 1...200, using: &random))
          let copy = Array(bytes[position..<end])
          bytes.insert(contentsOf: copy, at: Int.random(in: 0...bytes.count, using: &random))
        }
      }
      switch ConfigurationLoader.load([ConfigurationSource(name: "a", bytes: bytes)]) {
      case .loaded: outcomes.loaded += 1
      case .failed(let diagnostics):
        outcomes.failed += 1
        #expect(diagnostics.contains { $0.severity == .error })
      }
    }
    // Damage inside a name or a comment may be harmless; most is not.
    #expect(outcomes.loaded > 0 && outcomes.failed > 1_000)
  }
}

/// A small seeded generator (Steele, Lea and Flood, 2014), so that a failure can be repeated.
struct SplitMix64: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
