import Testing

import Primitives
@testable import TLS

/// Two ends of a connection whose keys are known.
struct RecordFixture {
  let library: TLSLibrary
  var client: RecordProtection
  var server: RecordProtection

  /// Secrets that differ by direction and suite.
  init(_ suite: RecordSuite, isTLS13: Bool) throws {
    let library = try TLSLibrary()
    self.library = library
    let one = (0..<48).map { UInt8($0) }
    let two = (0..<48).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ 3) }
    let count = suite.secretCount
    let made: (RecordProtection?, RecordProtection?) = withViews(one, two) { one, two in
      if isTLS13 {
        return (
          RecordProtection(library, suite: suite, readSecret: one.prefix(count), writeSecret: two.prefix(count)),
          RecordProtection(library, suite: suite, readSecret: two.prefix(count), writeSecret: one.prefix(count))
        )
      }
      let randoms = one.array + one.array.prefix(16)
      return randoms.withView { randoms in
        (
          RecordProtection(
            library, suite: suite, isServer: false, master: two, randoms: randoms, nonce: 77),
          RecordProtection(
            library, suite: suite, isServer: true, master: two, randoms: randoms, nonce: .max)
        )
      }
    }
    guard let client = made.0, let server = made.1 else { throw TLSSetupError("no keys") }
    (self.client, self.server) = (client, server)
  }

  mutating func free() {
    client.free()
    server.free()
  }
}

func withViews<R>(_ one: [UInt8], _ two: [UInt8], _ body: (ByteView, ByteView) throws -> R) rethrows -> R {
  try one.withView { one in try two.withView { two in try body(one, two) } }
}

extension [UInt8] {
  func withView<R>(_ body: (ByteView) throws -> R) rethrows -> R {
    try withUnsafeBufferPointer { buffer in
      try body(buffer.baseAddress.map { ByteView($0, buffer.count) } ?? .empty)
    }
  }

  init(hex: String) {
    let digits = hex.utf8.compactMap { Character(UnicodeScalar($0)).hexDigitValue }
    self = stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
  }
}

extension RecordProtection {
  /// Seals content that comes in runs of these sizes (the last takes what is left).
  mutating func sealed(_ content: [UInt8], type: UInt8 = RecordHeader.applicationData, runs: [Int] = []) -> [UInt8] {
    var room = [UInt8](repeating: 0xee, count: sealedCount(content.count) + 1)
    let count = room.withUnsafeMutableBufferPointer { room in
      var at = room.baseAddress!
      at += beginSeal(plaintextCount: content.count, type: type, to: at)
      content.withView { content in
        var left = content
        for run in runs + [Int.max] {
          let run = left.prefix(run)
          sealRun(run, to: at)
          at += run.count
          left = left.dropFirst(run.count)
        }
      }
      at += endSeal(to: at)
      return at - room.baseAddress!
    }
    precondition(room[count] == 0xee && count == room.count - 1, "written beyond what was said")
    return Array(room[..<count])
  }

  enum Opened: Equatable {
    case content(type: UInt8, [UInt8])
    case refused(TLSAlert)
  }

  /// Opens one whole record, its content in runs of these sizes.
  mutating func opened(_ record: [UInt8], runs: [Int] = []) -> Opened {
    let header: RecordHeader
    switch record.withView({ view in Result { () throws(TLSAlert) in try self.header(view) } }) {
    case .success(let read): header = read
    case .failure(let alert): return .refused(alert)
    }
    precondition(record.count == RecordHeader.count + header.bodyCount)
    var body = Array(record[RecordHeader.count...])
    let nonceCount = explicitNonceCount
    let contentCount = contentCount(header)
    let isAuthentic = body.withUnsafeMutableBufferPointer { body in
      let base = body.baseAddress!
      beginOpen(header, explicitNonce: ByteView(base, nonceCount))
      var at = base + nonceCount
      var left = contentCount
      for run in runs + [Int.max] {
        let count = min(run, left)
        openRun(at, count)
        at += count
        left -= count
      }
      return endOpen(tag: ByteView(at, RecordProtection.tagCount))
    }
    guard isAuthentic else { return .refused(.badRecordMAC) }
    let content = Array(body[nonceCount..<(nonceCount + contentCount)])
    guard isTLS13 else { return .content(type: header.type, content) }
    guard let inner = content.withView({ InnerContent($0) }) else { return .refused(.unexpectedMessage) }
    return .content(type: inner.type, Array(content[..<inner.count]))
  }
}

/// What a test is run with: each suite in both versions.
struct RecordCase: Sendable, CustomTestStringConvertible {
  let suite: RecordSuite
  let isTLS13: Bool

  var testDescription: String { "\(suite), TLS 1.\(isTLS13 ? 3 : 2)" }

  static let all = RecordSuite.allCases.flatMap {
    [RecordCase(suite: $0, isTLS13: false), RecordCase(suite: $0, isTLS13: true)]
  }
}
