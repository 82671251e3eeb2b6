import Primitives
import Testing

@testable import HTTPCore

@Suite struct HeaderMapTests {
  private func withMap<R>(capacity: Int = 2, _ body: (inout HeaderMap) -> R) -> R {
    let pool = ArenaPool()
    return withExtendedLifetime(pool) {
      let arena = UnsafeMutablePointer<Arena>.allocate(capacity: 1)
      arena.initialize(to: Arena(pool: pool))
      defer {
        arena.pointee.reset()
        arena.deallocate()
      }
      var map = HeaderMap(arena: arena, capacity: capacity)
      return body(&map)
    }
  }

  private func add(_ map: inout HeaderMap, _ name: StaticString, _ value: StaticString) {
    let name = ByteView(name)
    map.append(name: name, value: ByteView(value), known: KnownHeaderTable.shared.find(name))
  }

  @Test func setsOfKnownHeaders() {
    let all = KnownHeader.allCases.filter { $0 != .other }
    for known in all {
      withMap { map in
        map.append(known, ByteView("x"))
        #expect(map.hasAny(of: KnownHeaderSet([known])))
        #expect(!map.hasAny(of: KnownHeaderSet(all.filter { $0 != known })))
        map.remove(known)
        #expect(!map.hasAny(of: KnownHeaderSet(all)))
      }
    }
  }

  private func joined(_ map: inout HeaderMap, _ name: StaticString) -> String? {
    let name = ByteView(name)
    return map.joinedValue(name: name, known: KnownHeaderTable.shared.find(name))?.string
  }

  private func list(_ map: HeaderMap) -> [String] {
    (0..<map.slotCount).filter { !map[slot: $0].isRemoved }.map {
      "\(map[slot: $0].name.string)=\(map[slot: $0].value.string)"
    }
  }

  @Test(arguments: [("404", 404), ("x", 0), ("1000", 0), (nil, 0)] as [(String?, UInt16)])
  func statusIsANumberOrZero(text: String?, status: UInt16) {
    withMap { map in
      let bytes = Array((text ?? "").utf8)
      bytes.withUnsafeBufferPointer { buffer in
        if text != nil, let base = buffer.baseAddress {
          map.append(.status, ByteView(base, buffer.count))
        }
        #expect(map.status == status)
      }
    }
  }

  @Test func keepsOrderAndGrows() {
    for capacity in [0, 1, 2, 24] {
      withMap(capacity: capacity) { map in
        for _ in 0..<50 {
          add(&map, "accept", "1")
          add(&map, "x", "2")
        }
        #expect(map.count == 100)
        #expect(list(map) == (0..<50).flatMap { _ in ["accept=1", "x=2"] })
        #expect(map.occurrences(.accept) == 50)
      }
    }
  }

  @Test func cookiesAreJoinedAtTheFirstOnesPlace() {
    withMap { map in
      add(&map, "accept", "1")
      map.joinCookies()
      add(&map, "cookie", "a=1")
      map.joinCookies()
      #expect(list(map) == ["accept=1", "cookie=a=1"])
      add(&map, "x", "2")
      map.append(
        name: ByteView("cookie"), value: ByteView("b=2"), known: .cookie, isSensitive: true)
      add(&map, "cookie", "")
      map.joinCookies()
      #expect(list(map) == ["accept=1", "cookie=a=1; b=2; ", "x=2"])
      #expect(map[slot: 1].isSensitive)
      #expect(map.occurrences(.cookie) == 1)
      map.joinCookies()
      #expect(map.count == 3)
    }
  }

  @Test func aMapFollowsItsArena() {
    let pool = ArenaPool()
    let arenas = UnsafeMutablePointer<Arena>.allocate(capacity: 2)
    arenas.initialize(repeating: Arena(pool: pool), count: 2)
    var map = HeaderMap(arena: arenas, capacity: 1)
    add(&map, "accept", "1")
    arenas[1] = arenas[0]
    arenas[0] = Arena(pool: pool)
    map.rebase(onto: arenas + 1)
    for _ in 0..<200 { add(&map, "x", "2") }
    #expect(map.count == 201)
    #expect(arenas[0].allocatedBytes == 0)
    arenas[1].reset()
    #expect(pool.lentCount == 0)
    arenas.deallocate()
  }

  @Test func lookUp() {
    withMap { map in
      add(&map, "accept", "1")
      add(&map, "x-envoy-retry-on", "5xx")
      add(&map, "x", "2")
      add(&map, "accept", "3")
      #expect(map.value(.accept)?.string == "1")
      #expect(map.value(.envoyRetryOn)?.string == "5xx")
      #expect(map.value(.cookie) == nil)
      #expect(map.contains(.envoyRetryOn))
      #expect(!map.contains(.cookie))
      #expect(map.value(name: ByteView("x"), known: .other)?.string == "2")
      #expect(map.value(name: ByteView("y"), known: .other) == nil)
      #expect(map.value(name: ByteView("accept"), known: .accept)?.string == "1")
      #expect(map.occurrences(.accept) == 2)
      #expect(map.occurrences(.cookie) == 0)
    }
  }

  @Test func joining() {
    withMap { map in
      add(&map, "accept", "1")
      let one = joined(&map, "accept")
      #expect(one == "1")
      add(&map, "accept", "")
      add(&map, "accept", "3")
      let three = joined(&map, "accept")
      #expect(three == "1,,3")
      add(&map, "x", "")
      add(&map, "x", "b")
      let emptyFirst = joined(&map, "x")
      #expect(emptyFirst == ",b")
      let none = joined(&map, "y")
      #expect(none == nil)
    }
  }

  @Test func setting() {
    withMap { map in
      map.set(.server, ByteView("a"))
      #expect(list(map) == ["server=a"])
      add(&map, "server", "b")
      add(&map, "x", "1")
      add(&map, "x", "2")
      map.set(.server, ByteView("c"))
      map.set(name: ByteView("x"), value: ByteView("3"), known: .other)
      map.set(name: ByteView("y"), value: ByteView("4"), known: .other)
      #expect(list(map) == ["server=c", "x=3", "y=4"])
      #expect(map.count == 3)
      map.setValue(slot: 0, ByteView("d"))
      #expect(map.value(.server)?.string == "d")
    }
  }

  @Test func removing() {
    withMap { map in
      add(&map, "server", "a")
      add(&map, "x", "1")
      add(&map, "server", "b")
      add(&map, "x", "2")
      let first = map.remove(.server)
      #expect(first)
      let again = map.remove(.server)
      #expect(!again)
      #expect(!map.contains(.server))
      let firstOther = map.remove(name: ByteView("x"), known: .other)
      #expect(firstOther)
      let againOther = map.remove(name: ByteView("x"), known: .other)
      #expect(!againOther)
      #expect(map.count == 0)
      map.append(.server, ByteView("c"))
      #expect(list(map) == ["server=c"])
      map.set(.server, ByteView("d"))
      #expect(list(map) == ["server=d"])
    }
  }

  @Test func removingOneOfTwo() {
    withMap { map in
      add(&map, "cookie", "a")
      add(&map, "cookie", "b")
      map.removeSlot(0)
      #expect(map.value(.cookie)?.string == "b")
      map.removeSlot(1)
      #expect(!map.contains(.cookie))
      #expect(map.value(.cookie) == nil)
    }
  }

  @Test func textInTheArena() {
    withMap { map in
      let number = map.decimal(.max).string
      #expect(number == "18446744073709551615")
      let copy = map.copy(ByteView("abc"))
      #expect(copy == "abc")
    }
  }
}
