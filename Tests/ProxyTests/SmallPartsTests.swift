import Primitives
import Testing

@testable import Proxy

struct SmallPartsTests {
  private func view<R>(_ text: String, _ body: (ByteView) -> R) -> R {
    var copy = text
    return copy.withUTF8 { buffer in
      buffer.baseAddress.map { body(ByteView($0, buffer.count)) } ?? body(.empty)
    }
  }

  @Test func forwardedForFromTheRight() {
    view("1.1.1.1, 2.2.2.2 ,3.3.3.3") { list in
      #expect(ForwardedFor.address(list, fromRight: 0) == IPAddress("3.3.3.3"))
      #expect(ForwardedFor.address(list, fromRight: 1) == IPAddress("2.2.2.2"))
      #expect(ForwardedFor.address(list, fromRight: 2) == IPAddress("1.1.1.1"))
      #expect(ForwardedFor.address(list, fromRight: 3) == nil)
    }
    for bad in ["", ",", "nobody", "1.2.3.4:80", String(repeating: "1", count: 5000)] {
      view(bad) { #expect(ForwardedFor.address($0, fromRight: 0) == nil) }
    }
  }

  @Test func requestIDsAreVersion4() {
    var random = FastRandom(seed: 3)
    let room = UnsafeMutablePointer<UInt8>.allocate(capacity: RequestID.length)
    defer { room.deallocate() }
    var seen: Set<String> = []
    for _ in 0..<1000 {
      RequestID.write(to: room, &random)
      let id = ByteView(room, RequestID.length)
      let text = id.string
      #expect(text[text.index(text.startIndex, offsetBy: 14)] == "4")
      #expect("89ab".contains(text[text.index(text.startIndex, offsetBy: 19)]))
      #expect(text.filter { $0 == "-" }.count == 4)
      #expect(RequestID.stableRandom(id) == UInt32(text.prefix(8), radix: 16).map { $0 % 10_000 })
      seen.insert(text)
    }
    #expect(seen.count == 1000)
    view("not-a-request-id") { #expect(RequestID.stableRandom($0) == nil) }
  }

  @Test func logRingKeepsOrderAndCountsDrops() {
    let ring = LogRing(capacity: 256)
    var lines: [String] = []
    var written = 0
    for round in 0..<200 {
      let line = String(repeating: "x", count: round % 90) + "#\(round)"
      if view(line, { ring.write(target: UInt16(round % 3), $0) }) { written += 1 }
      if round % 4 == 3 {
        ring.drain { target, first, second in
          lines.append("\(target) \(first.string + second.string)")
        }
      }
    }
    ring.drain { target, first, second in
      lines.append("\(target) \(first.string + second.string)")
    }
    #expect(lines.count == written)
    #expect(ring.droppedCount == UInt64(200 - written))
    #expect(ring.droppedCount > 0)
    let numbers = lines.compactMap { Int($0.split(separator: "#").last ?? "") }
    #expect(numbers == numbers.sorted())
    #expect(lines.allSatisfy { line in
      guard let number = Int(line.split(separator: "#").last ?? "") else { return false }
      return line == "\(number % 3) " + String(repeating: "x", count: number % 90) + "#\(number)"
    })
  }
}
