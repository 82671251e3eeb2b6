import Primitives
import Testing

@testable import TLS

@Suite struct ClientHelloTests {
  /// An outcome that can be compared and outlives the bytes.
  enum Seen: Equatable {
    case needMore, malformed, tooLarge
    case notTLS(PlainGuess)
    case hello(name: String, protocols: [UInt8], curves13: CurveSet, curves12: CurveSet, staple: Bool, version: UInt16, count: Int)
  }

  static func parse(_ bytes: [UInt8], limit: Int = 16_384) -> Seen {
    var scratch = [UInt8](repeating: 0, count: limit)
    return scratch.withUnsafeMutableBufferPointer { scratch in
      // Memory of exactly the size, for the address sanitizer.
      let copy = UnsafeMutablePointer<UInt8>.allocate(capacity: max(1, bytes.count))
      defer { copy.deallocate() }
      copy.update(from: bytes, count: bytes.count)
      switch ClientHello.parse(ByteView(copy, bytes.count), limit: limit, scratch: scratch.baseAddress!) {
      case .needMore: return .needMore
      case .malformed: return .malformed
      case .tooLarge: return .tooLarge
      case .notTLS(let guess): return .notTLS(guess)
      case .complete(let hello):
        return .hello(
          name: hello.serverName.string, protocols: hello.protocols.array, curves13: hello.curvesOfTLS13,
          curves12: hello.curvesOfTLS12, staple: hello.wantsStaple, version: hello.versionMax,
          count: hello.recordBytes)
      }
    }
  }

  @Test func readsWhatABrowserSends() {
    let bytes = HelloBuilder.usual.records()
    #expect(
      Self.parse(bytes + [1, 2, 3])
        == .hello(
          name: "Www.Example.com", protocols: Array("\u{2}h2\u{8}http/1.1".utf8), curves13: [.p256, .p384],
          curves12: [.p256, .p384], staple: true, version: 0x0304, count: bytes.count))
  }

  @Test func readsOldHellosWithoutExtensions() {
    var old = HelloBuilder()
    old.version = [3, 1]
    old.suites = [0, 0x2f]
    let bytes = old.records()
    let expected = Seen.hello(
      name: "", protocols: [], curves13: [], curves12: [], staple: false, version: 0x0301, count: bytes.count)
    #expect(Self.parse(bytes) == expected)
    old.suites = [0xc0, 0x0a]
    #expect(
      Self.parse(old.records())
        == .hello(name: "", protocols: [], curves13: [], curves12: .all, staple: false, version: 0x0301, count: bytes.count))
  }

  /// Every beginning of a hello asks for more, and records may be cut anywhere.
  @Test(arguments: [1, 2, 3, 4, 5, 7, 50, 16_384])
  func everyCut(_ size: Int) {
    let bytes = HelloBuilder.usual.records(size)
    for end in 0..<bytes.count { #expect(Self.parse(Array(bytes[..<end])) == .needMore, "\(end)") }
    guard case .hello(let name, _, _, _, _, _, let count) = Self.parse(bytes + [22, 3]) else {
      Issue.record("not complete")
      return
    }
    #expect(name == "Www.Example.com")
    #expect(count == bytes.count)
  }

  /// Each byte of a hello raised and lowered by one: never a crash, never more taken than was sent.
  @Test func everyLengthOffByOne() {
    let bytes = HelloBuilder.usual.records()
    var refused = 0
    for at in bytes.indices {
      for change in [UInt8(1), 255, 128] {
        var changed = bytes
        changed[at] &+= change
        switch Self.parse(changed) {
        case .malformed, .notTLS, .needMore, .tooLarge: refused += 1
        case .hello(_, _, _, _, _, _, let count): #expect(count <= bytes.count)
        }
      }
    }
    #expect(refused > 100)
  }

  struct Row: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let bytes: [UInt8]
    var isFine = false
  }

  static func with(_ extensions: [(type: Int, content: [UInt8])]) -> [UInt8] {
    HelloBuilder(extensions: extensions).records()
  }

  static let rows: [Row] = [
    Row(testDescription: "no extensions at all", bytes: with([]), isFine: true),
    Row(testDescription: "unknown extensions", bytes: with([(0x1234, [1]), (0x1234, [2])]), isFine: true),
    Row(testDescription: "the same known extension twice", bytes: with([HelloBuilder.serverName("a"), HelloBuilder.serverName("b")])),
    Row(testDescription: "an empty name", bytes: with([HelloBuilder.serverName("")])),
    Row(testDescription: "a name with a NUL", bytes: with([HelloBuilder.serverName("a\0b")])),
    Row(testDescription: "255 bytes of name", bytes: with([HelloBuilder.serverName(String(repeating: "a", count: 255))]), isFine: true),
    Row(testDescription: "256 bytes of name", bytes: with([HelloBuilder.serverName(String(repeating: "a", count: 256))])),
    Row(testDescription: "an empty list of names", bytes: with([(0, [0, 0])])),
    Row(testDescription: "an empty server_name", bytes: with([(0, [])])),
    Row(testDescription: "another type of name", bytes: with([(0, [0, 4, 1, 0, 1, 97])])),
    Row(testDescription: "bytes behind the name", bytes: with([(0, [0, 5, 0, 0, 1, 97, 0])])),
    Row(testDescription: "an empty list of protocols", bytes: with([(16, [0, 0])])),
    Row(testDescription: "an empty protocol", bytes: with([(16, [0, 3, 1, 97, 0])])),
    Row(testDescription: "a protocol that is cut", bytes: with([(16, [0, 2, 2, 97])])),
    Row(testDescription: "odd versions", bytes: with([(43, [3, 3, 4, 3])])),
    Row(testDescription: "no versions", bytes: with([(43, [0])])),
    Row(testDescription: "odd groups", bytes: with([(10, [0, 3, 0, 23, 0])])),
    Row(testDescription: "odd signature algorithms", bytes: with([(13, [0, 3, 4, 3, 4])])),
    Row(testDescription: "an empty status_request", bytes: with([(5, [])])),
    Row(testDescription: "odd suites", bytes: { var h = HelloBuilder(); h.suites = [1, 2, 3]; return h.records() }()),
    Row(testDescription: "no suites", bytes: { var h = HelloBuilder(); h.suites = []; return h.records() }()),
    Row(testDescription: "no compression", bytes: { var h = HelloBuilder(); h.compressions = []; return h.records() }()),
    Row(testDescription: "a session of 33 bytes", bytes: { var h = HelloBuilder(); h.session = [UInt8](repeating: 0, count: 33); return h.records() }()),
    Row(testDescription: "version 2.0", bytes: { var h = HelloBuilder(); h.version = [2, 0]; return h.records() }()),
    Row(testDescription: "bytes behind the extensions", bytes: HelloBuilder.records([1, 0, 0, 45, 3, 3] + [UInt8](repeating: 0, count: 32) + [0, 0, 2, 19, 1, 1, 0, 0, 0, 9, 9], 99)),
    Row(testDescription: "another message", bytes: [22, 3, 1, 0, 4, 2, 0, 0, 0]),
    Row(testDescription: "an alert", bytes: [22, 3, 1, 0, 2, 1, 0, 21, 3, 3, 0, 2, 1, 0]),
    Row(testDescription: "an empty record", bytes: [22, 3, 1, 0, 0]),
    Row(testDescription: "a record that is too long", bytes: [22, 3, 1, 0x40, 1]),
  ]

  @Test(arguments: rows)
  func judges(_ row: Row) {
    if case .hello = Self.parse(row.bytes) { #expect(row.isFine) } else {
      #expect(!row.isFine)
      #expect(Self.parse(row.bytes) == .malformed)
    }
  }

  @Test(arguments: [
    ("GET / HTTP/1.1\r\n", PlainGuess.http), ("G", .http), ("PRI * HTTP/2.0", .http), ("CONNECT a:443", .httpConnect),
    ("C", .httpConnect), ("SSH-2.0", .other), ("\u{80}", .other), ("GRT", .other),
  ])
  func tellsPlainTextApart(text: String, guess: PlainGuess) {
    #expect(Self.parse(Array(text.utf8)) == .notTLS(guess))
  }

  @Test func tellsOtherThingsApart() {
    #expect(Self.parse([0x80, 0x2e, 1, 3, 1]) == .notTLS(.sslv2))
    #expect(Self.parse([22, 2]) == .notTLS(.other))
    #expect(Self.parse([22]) == .needMore)
    #expect(Self.parse([]) == .needMore)
  }

  @Test func limits() {
    let bytes = HelloBuilder.usual.records()
    if case .hello = Self.parse(bytes, limit: bytes.count) {} else { Issue.record("refused at its size") }
    for limit in [5, 40, bytes.count - 1] {
      // Known as soon as the length is, not only when all of it has come.
      #expect(Self.parse(Array(bytes.prefix(9)), limit: limit) == .tooLarge)
      #expect(Self.parse(bytes, limit: limit) == .tooLarge)
    }
    // Records of one byte cost five more each.
    let small = HelloBuilder.usual.records(1)
    #expect(Self.parse(small, limit: small.count - 1) == .tooLarge)
    #expect(Self.parse([22, 3, 1, 0x3f, 0, 1, 255, 0, 0]) == .tooLarge)
  }

  @Test func namesInLowerCase() {
    func lower(_ text: String) -> String? {
      var room = [UInt8](repeating: 0, count: ServerName.bytesMax)
      let count = Array(text.utf8).withView { name in
        room.withUnsafeMutableBufferPointer { ServerName.copyLowerCased(name, to: $0.baseAddress!) }
      }
      return count == 0 ? nil : String(decoding: room[..<count], as: UTF8.self)
    }
    #expect(lower("Www.EXAMPLE_1-a.com.") == "www.example_1-a.com.")
    #expect(lower("a b") == nil)
    #expect(lower("münchen.de") == nil)
    #expect(lower("a/b") == nil)
    #expect(lower("*.a") == nil)
    #expect(lower(String(repeating: "a", count: 256)) == nil)
  }
}
