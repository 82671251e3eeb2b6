import HTTPCore
import Primitives

let headerMapCases: [MicroCase] = [
  MicroCase("header-known-present") { reading { $0.pointee.value(.xRequestID)?.count ?? 0 } },
  MicroCase("header-known-absent") { reading { $0.pointee.value(.authorization)?.count ?? 0 } },
  MicroCase("header-by-name") {
    let name = lasting("sec-fetch-mode")
    return reading { $0.pointee.value(name: name, known: .other)?.count ?? 0 }
  },
  MicroCase("header-name-to-known") {
    let names = browserFields.dropFirst(3).map { lasting($0.0) }
    let frozen = UnsafeMutableBufferPointer<ByteView>.allocate(capacity: names.count)
    _ = frozen.initialize(from: names)
    return { count in
      var digest = Digest()
      var at = 0
      for _ in 0..<count {
        digest.add(UInt64(KnownHeaderTable.shared.find(frozen[at]).rawValue))
        at = at + 1 == frozen.count ? 0 : at + 1
      }
      return digest.value
    }
  },
  MicroCase("header-map-build-and-change") { changing() },
]

private func reading(
  _ read: @escaping (UnsafeMutablePointer<HeaderMap>) -> Int
) -> (Int) -> UInt64 {
  let map = lastingMap(browserFields)
  return { count in
    var digest = Digest()
    for _ in 0..<count { digest.add(read(map)) }
    return digest.value
  }
}

/// A map of 13 fields is filled; then one is added, one replaced and one removed.
private func changing() -> (Int) -> UInt64 {
  let source = lastingMap(browserFields)
  let arena = lastingArena()
  let value = lasting("203.0.113.7, 10.0.0.1")
  return { count in
    var digest = Digest()
    for _ in 0..<count {
      var map = HeaderMap(arena: arena)
      for slot in 0..<source.pointee.slotCount {
        let field = source.pointee[slot: slot]
        map.append(name: field.name, value: field.value, known: field.known)
      }
      map.append(.via, value)
      map.set(.xForwardedFor, value)
      map.remove(.referer)
      digest.add(map.count)
      arena.pointee.reset()
    }
    return digest.value
  }
}
