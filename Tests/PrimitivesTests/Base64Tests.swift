import Testing

@testable import Primitives

@Suite struct Base64Tests {
  private func encoded(_ bytes: [UInt8]) -> String {
    let room = UnsafeMutablePointer<UInt8>.allocate(capacity: Base64.encodedCount(bytes.count) + 1)
    defer { room.deallocate() }
    room[Base64.encodedCount(bytes.count)] = 0xAA
    let count = bytes.withUnsafeBufferPointer { buffer in
      Base64.encode(buffer.baseAddress.map { ByteView($0, buffer.count) } ?? .empty, to: room)
    }
    #expect(count == Base64.encodedCount(bytes.count))
    #expect(room[count] == 0xAA)
    return ByteView(room, count).string
  }

  private func decoded(_ text: String) -> [UInt8]? {
    var bytes = Array(text.utf8) + [0]
    let count = bytes.count - 1
    return bytes.withUnsafeMutableBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return nil }
      // In place, as the filters do.
      return Base64.decode(ByteView(base, count), to: base).map { ByteView(base, $0).array }
    }
  }

  // RFC 4648 section 10.
  @Test(arguments: [
    ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
    ("foobar", "Zm9vYmFy"),
  ])
  func vectors(_ plain: String, _ text: String) {
    #expect(encoded(Array(plain.utf8)) == text)
    #expect(decoded(text) == Array(plain.utf8))
  }

  @Test func everyByteAtEveryPlace() {
    for lead in 0..<3 {
      let bytes = [UInt8](repeating: 0xFF, count: lead) + (0...255).map { UInt8($0) }
      #expect(decoded(encoded(bytes)) == bytes)
    }
    #expect(encoded([0xFB, 0xEF, 0xBE, 0xFF, 0xFF, 0xFF]) == "++++////")
  }

  @Test func textsMayFollowEachOther() {
    #expect(decoded("Zg==Zm8=Zm9v") == Array("ffofoo".utf8))
  }

  @Test(arguments: [
    "Z", "Zg", "Zg=", "Zg===", "=g==", "Z===", "====", "Zm9v\n", "Zm9\n", "Zm-_", "Zm9v Zm9v", "Zh==", "Zm9=", "Zg=v", "Zé=",
  ])
  func refused(_ text: String) {
    #expect(decoded(text) == nil)
  }
}
