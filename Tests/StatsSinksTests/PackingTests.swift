import Testing

@testable import StatsSinks

@Suite struct PackingTests {
  static func pack(_ lines: [String], bytesMax: Int) -> [String] {
    var packer = DatagramPacker(bytesMax: bytesMax)
    var datagrams: [String] = []
    for line in lines {
      _ = packer.add(Array(line.utf8)[...]) { datagrams.append(String(decoding: $0, as: UTF8.self)) }
    }
    packer.flush { datagrams.append(String(decoding: $0, as: UTF8.self)) }
    return datagrams
  }

  @Test(arguments: 0...20)
  func everyBoundary(_ bytesMax: Int) {
    let lines = ["a", "bb", "ccc", "dddd", "e", "ff", "ggggggggggggggggggggggggg", "h"]
    let datagrams = Self.pack(lines, bytesMax: bytesMax)
    #expect(datagrams.joined(separator: "\n") == lines.joined(separator: "\n"), "nothing lost")
    for datagram in datagrams {
      #expect(datagram.utf8.count <= bytesMax || !datagram.contains("\n"))
    }
    // As full as possible: the first line of the next one would not have fitted.
    for (datagram, next) in zip(datagrams, datagrams.dropFirst()) {
      let first = next.split(separator: "\n")[0]
      #expect(datagram.utf8.count + 1 + first.utf8.count > bytesMax)
    }
  }

  @Test func exactFit() {
    #expect(Self.pack(["aaa", "bbb"], bytesMax: 7) == ["aaa\nbbb"])
    #expect(Self.pack(["aaa", "bbb"], bytesMax: 6) == ["aaa", "bbb"])
    #expect(Self.pack(["aaa", "bbb"], bytesMax: 0) == ["aaa", "bbb"])
  }

  @Test func longAndEmptyLinesAreLeftOut() {
    var packer = DatagramPacker()
    let longest = [UInt8](repeating: 97, count: DatagramPacker.lineBytesMax)
    var datagrams: [[UInt8]] = []
    func add(_ line: [UInt8]) -> Bool { packer.add(line[...]) { datagrams.append($0) } }
    #expect(add(longest))
    #expect(!add(longest + [97]))
    #expect(!add([]))
    packer.flush { datagrams.append($0) }
    packer.flush { datagrams.append($0) }
    #expect(datagrams == [longest])
  }

  /// Writes `step` bytes at a time and loses the connection after each `lossAfter` bytes.
  @Test(arguments: 1...9, 1...12)
  func heldLinesStartAgainWhole(_ step: Int, _ lossAfter: Int) {
    let lines = ["a:1|c", "bb:2|c", "c:3|g", "d:4|c"]
    var held = HeldLines(bytesMax: 64)
    for line in lines {
      let fits = held.add(Array(line.utf8)[...])
      #expect(fits)
    }
    var received: [String] = []
    var connection: [UInt8] = []
    var capacity = lossAfter
    while !held.isEmpty {
      held.write { bytes in
        let taken = bytes.prefix(min(step, capacity))
        connection += taken
        return taken.count
      }
      capacity -= min(step, capacity)
      if capacity == 0 {
        held.rewind()
        received += Self.wholeLines(connection)
        connection = []
        // Bigger each time, so that a line longer than a connection gets through at last.
        capacity = lossAfter + received.count * 3 + 8
      }
    }
    received += Self.wholeLines(connection)
    #expect(received == lines)
  }

  private static func wholeLines(_ bytes: [UInt8]) -> [String] {
    String(decoding: bytes, as: UTF8.self).split(
      separator: "\n", omittingEmptySubsequences: false
    ).dropLast().map(String.init)
  }

  @Test func heldLinesAreBounded() {
    var held = HeldLines(bytesMax: 10)
    func add(_ line: String) -> Bool { held.add(Array(line.utf8)[...]) }
    #expect(!add(""))
    #expect(!add("0123456789"))
    #expect(add("abcd"))
    #expect(add("efgh"))
    #expect(!add("i"))
    held.write { _ in 6 }
    #expect(add("ijkl"), "the sent line made room")
    var rest = ""
    held.rewind()
    held.write { bytes in
      rest = String(decoding: bytes, as: UTF8.self)
      return bytes.count
    }
    #expect(rest == "efgh\nijkl\n")
    #expect(held.unsentBytes == 0)
  }
}
