/// Makes hellos, right and wrong ones.
struct HelloBuilder {
  var version: [UInt8] = [3, 3]
  var random = [UInt8](repeating: 0x5a, count: 32)
  var session = [UInt8](repeating: 7, count: 32)
  var suites: [UInt8] = [0x13, 0x01, 0xc0, 0x2b, 0xc0, 0x2f]
  var compressions: [UInt8] = [0]
  var extensions: [(type: Int, content: [UInt8])]?

  static func vector8(_ bytes: [UInt8]) -> [UInt8] { [UInt8(bytes.count)] + bytes }
  static func vector16(_ bytes: [UInt8]) -> [UInt8] { uint16(bytes.count) + bytes }
  static func uint16(_ value: Int) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 255)] }

  static func serverName(_ name: String) -> (type: Int, content: [UInt8]) {
    (0, vector16([0] + vector16(Array(name.utf8))))
  }

  static func protocols(_ names: [String]) -> (type: Int, content: [UInt8]) {
    (16, vector16(names.flatMap { vector8(Array($0.utf8)) }))
  }

  static func list(_ type: Int, _ values: [Int]) -> (type: Int, content: [UInt8]) {
    (type, vector16(values.flatMap(uint16)))
  }

  static func versions(_ values: [Int]) -> (type: Int, content: [UInt8]) {
    (43, vector8(values.flatMap(uint16)))
  }

  /// What a browser of today sends, more or less.
  static var usual: HelloBuilder {
    HelloBuilder(extensions: [
      (0x0a0a, []), serverName("Www.Example.com"), (23, []), (0xff01, [0]), list(10, [0x3a3a, 29, 23, 24]),
      (11, [1, 0]), (35, []), protocols(["h2", "http/1.1"]), (5, [1, 0, 0, 0, 0]),
      list(13, [0x0403, 0x0804, 0x0401, 0x0503]), (18, []), versions([0x2a2a, 0x0304, 0x0303]), (51, vector16([1, 2, 3])),
    ])
  }

  var message: [UInt8] {
    var body = version + random + Self.vector8(session) + Self.vector16(suites) + Self.vector8(compressions)
    if let extensions {
      body += Self.vector16(extensions.flatMap { Self.uint16($0.type) + Self.vector16($0.content) })
    }
    return [1, 0] + Self.vector16(body)
  }

  /// The message in records of at most so many bytes.
  func records(_ size: Int = 16_384) -> [UInt8] { Self.records(message, size) }

  static func records(_ message: [UInt8], _ size: Int) -> [UInt8] {
    stride(from: 0, to: message.count, by: size).flatMap { at in
      [22, 3, 1] + vector16(Array(message[at..<min(at + size, message.count)]))
    }
  }
}
