import Primitives
import Testing

@testable import HTTPCore

@Suite struct GRPCTests {
  private func view<Result>(_ text: String, _ body: (ByteView) throws -> Result) rethrows -> Result {
    let bytes = Array(text.utf8)
    return try bytes.withUnsafeBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return try body(.empty) }
      return try body(ByteView(base, buffer.count))
    }
  }

  @Test(arguments: [
    ("application/grpc", true), ("application/grpc+proto", true), ("application/grpc+", true),
    ("application/grpc+json", true), ("application/grpc;x", false), ("application/grpc; charset=utf-8", false),
    ("application/grpc-web", false), ("application/grpc-web+proto", false), ("application/grpcx", false),
    ("Application/grpc", false), ("application/grp", false), ("application/json", false), ("", false),
    (" application/grpc", false),
  ])
  func contentType(_ text: String, _ isGRPC: Bool) {
    #expect(view(text) { GRPC.isGRPC(contentType: $0) } == isGRPC)
  }

  @Test(arguments: [
    ("1H", 3_600_000), ("2M", 120_000), ("3S", 3000), ("20m", 20), ("0m", 0), ("00000007m", 7),
    ("1u", 1), ("1000u", 1), ("1001u", 2), ("0u", 0), ("1n", 1), ("1000000n", 1), ("1000001n", 2),
    ("99999999m", 99_999_999), ("99999999n", 100), ("99999999H", GRPC.timeoutMillisecondsMax),
  ] as [(String, UInt64)])
  func timeout(_ text: String, _ milliseconds: UInt64) {
    #expect(view(text) { GRPC.timeoutMilliseconds($0) } == milliseconds)
  }

  @Test(arguments: [
    "", "m", "1", "20", "100000000m", "1h", "1s", "1U", "-1m", "+1m", "1.5S", " 1m", "1m ", "1 m", "mm", "1mm", "１m",
  ])
  func noTimeout(_ text: String) {
    #expect(view(text) { GRPC.timeoutMilliseconds($0) } == nil)
  }

  @Test(arguments: [
    (0, "0m"), (1, "1m"), (99_999_999, "99999999m"), (100_000_000, "100000S"), (99_999_999_999, "99999999S"),
    (100_000_000_000, "1666666M"), (6_000_000_000_000, "1666666H"), (UInt64.max, "99999999H"),
  ] as [(UInt64, String)])
  func timeoutText(_ milliseconds: UInt64, _ text: String) {
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: GRPC.timeoutBytesMax) { room in
      guard let base = room.baseAddress else { return }
      #expect(ByteView(base, GRPC.writeTimeout(milliseconds: milliseconds, to: base)).string == text)
    }
  }

  @Test func statusOfHTTP() {
    let known: [UInt16: UInt32] = [400: 13, 401: 16, 403: 7, 404: 12, 429: 14, 502: 14, 503: 14, 504: 14]
    for status: UInt16 in 100...599 {
      #expect(GRPCStatus(httpStatus: status).code == known[status] ?? 2, "\(status)")
    }
  }

  @Test func statusAsHTTP() {
    let table: [UInt16] = [
      200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401,
    ]
    for (code, status) in table.enumerated() {
      #expect(GRPCStatus(code: UInt32(code)).httpStatus == status, "\(code)")
    }
    #expect(GRPCStatus(code: 17).httpStatus == 500)
    #expect(GRPCStatus(code: .max).httpStatus == 500)
  }

  @Test func names() {
    for code in 0...GRPCStatus.codeMax {
      let status = GRPCStatus(code: code)
      let camel = status.name(snake: false).map { ByteView($0).string } ?? ""
      let snake = status.name(snake: true).map { ByteView($0).string } ?? ""
      // "Canceled" and "CANCELLED" are written as gRPC has them.
      #expect(code == 1 || camel.uppercased() == snake.filter { $0 != "_" }, "\(code)")
    }
    #expect(GRPCStatus(code: 17).name(snake: false) == nil)
  }

  @Test(arguments: [
    ("", ""), ("plain text ~", "plain text ~"), ("50% of it", "50%25 of it"), ("a\nb\tc", "a%0Ab%09c"),
    ("\u{7F}\u{0}", "%7F%00"), ("é", "%C3%A9"), ("%41", "%2541"),
  ])
  func message(_ text: String, _ encoded: String) {
    let pool = ArenaPool()
    var arena = Arena(pool: pool)
    defer { arena.reset() }
    view(text) { plain in
      let result = GRPCMessage.encoded(plain, arena: &arena)
      #expect(result.string == encoded)
      // Nothing is copied without need.
      #expect((result.base == plain.base) == (text == encoded))
    }
  }
}
