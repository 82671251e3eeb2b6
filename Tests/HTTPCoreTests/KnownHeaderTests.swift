import Primitives
import Testing

@testable import HTTPCore

@Suite struct KnownHeaderTests {
  @Test func everyNameIsFoundInAnyCase() {
    for header in KnownHeader.allCases where header != .other {
      let name = ByteView(header.name)
      #expect(KnownHeaderTable.shared.find(name) == header)
      #expect(KnownHeaderTable.shared.name(header) == name)
      let upper = name.string.uppercased()
      upper.utf8CString.withUnsafeBytes { raw in
        guard let base = raw.baseAddress else { return }
        let view = ByteView(base.assumingMemoryBound(to: UInt8.self), upper.utf8.count)
        #expect(KnownHeaderTable.shared.find(view) == header)
      }
    }
  }

  /// One byte more, less or other is another name.
  @Test func neighboursAreNotFound() {
    let names = Set(KnownHeader.allCases.map { ByteView($0.name).string })
    for header in KnownHeader.allCases where header != .other {
      let name = ByteView(header.name).array
      var neighbours = [name + [120], Array(name.dropLast()), Array(name.dropFirst())]
      for i in name.indices {
        var other = name
        other[i] = other[i] == 122 ? 121 : 122
        neighbours.append(other)
      }
      for bytes in neighbours where !names.contains(String(decoding: bytes, as: UTF8.self)) {
        let copy = UnsafeMutablePointer<UInt8>.allocate(capacity: max(1, bytes.count))
        defer { copy.deallocate() }
        for (i, byte) in bytes.enumerated() { copy[i] = byte }
        #expect(KnownHeaderTable.shared.find(ByteView(copy, bytes.count)) == .other)
      }
    }
  }

  @Test func namesFitTheMap() {
    #expect(KnownHeader.allCases.count <= 128)
    let pseudo = KnownHeader.allCases.filter(\.isPseudo)
    #expect(pseudo == [.method, .path, .authority, .scheme, .status, .connectProtocol])
    #expect(pseudo.allSatisfy { ByteView($0.name).string.hasPrefix(":") })
    let names = KnownHeader.allCases.map { ByteView($0.name).string }
    #expect(Set(names).count == names.count)
    #expect(names.allSatisfy { $0 == $0.lowercased() })
  }
}
