import Testing

@testable import Stats

@Suite struct NamedFamilyTests {
  private static let names = FamilyNames([
    0: "ciphers.TLS_AES_128_GCM_SHA256", 64: "curves.X25519", 65: "curves.a:b",
    499: "versions.TLSv1.3",
  ])

  @Test func membersAppearWhenCounted() throws {
    let registry = try makeRegistry()
    let family = registry.makeScope(prefix: "listener.a.").namedFamily("ssl", Self.names)
    #expect(registry.metrics.isEmpty)
    for (slab, index) in [(0, 0), (1, 0), (1, 65), (1, 499), (1, 499), (0, 499)] {
      registry.slabs[slab].increment(family, index: index)
    }
    #expect(
      registry.metrics.map(\.name) == [
        "listener.a.ssl.ciphers.TLS_AES_128_GCM_SHA256", "listener.a.ssl.curves.a_b",
        "listener.a.ssl.versions.TLSv1.3",
      ])
    #expect(registry.metrics.map { registry.value(of: $0) } == [2, 1, 3])
    #expect(registry.metrics.allSatisfy { $0.kind == .counter })
    registry.slabs[1].increment(family, index: 64)
    #expect(registry.value("listener.a.ssl.curves.X25519") == 1)
  }

  @Test func whatHasNoNameIsNotReported() throws {
    let registry = try makeRegistry()
    let family = registry.namedFamily("ssl", Self.names)
    let neighbour = registry.namedFamily("ssl2", Self.names)
    for index in [1, 498, 500, 511, 512, -1, -8, .min, .max] {
      registry.slabs[1].increment(family, index: index)
    }
    #expect(registry.metrics.isEmpty)
    registry.slabs[1].increment(family, index: 0)
    #expect(registry.metrics.map { registry.value(of: $0) } == [1])
    registry.slabs[1].increment(neighbour, index: 499)
    #expect(registry.value("ssl2.versions.TLSv1.3") == 1)
  }

  @Test func oneNameOneFamily() throws {
    let registry = try makeRegistry()
    let first = registry.makeScope(prefix: "s.").namedFamily("ssl", Self.names)
    let second = registry.makeScope(prefix: "s.").namedFamily("ssl", Self.names)
    #expect(first == second)
    #expect(registry.namedFamily("s.ssl", FamilyNames([0: "other"])) == .discarded)
    #expect(registry.codeFamily("s.ssl") == .discarded, "its members are called otherwise")
    registry.slabs[1].increment(first, index: 0)
    #expect(registry.metrics.count == 1)
    #expect(
      registry.counter("s.ssl.ciphers.TLS_AES_128_GCM_SHA256") == .discarded,
      "the cell belongs to the family")
  }

  @Test func membersGoWithTheirScope() throws {
    let registry = try makeRegistry()
    registry.trackDepartures()
    let scope = registry.makeScope(prefix: "s.")
    let family = scope.namedFamily("ssl", Self.names)
    registry.slabs[1].increment(family, index: 64)
    #expect(registry.metrics.count == 1)
    let retired = registry.removeScope(scope)
    #expect(registry.metrics.isEmpty)
    registry.slabs[1].increment(family, index: 64)
    registry.slabs[1].increment(family, index: 499)  // A worker that has not left yet.
    registry.recycle(retired)
    let departed = registry.takeDeparted()
    #expect(Set(departed.map(\.name)) == ["s.ssl.curves.X25519", "s.ssl.versions.TLSv1.3"])
    #expect(departed.map { registry.total(of: $0) }.reduce(0, +) == 3)
    // The cells are free for a family of another kind, and begin at zero.
    let codes = registry.codeFamily("rq")
    #expect(codes.cell == family.cell)
    registry.slabs[1].increment(codes, code: 200)
    #expect(registry.metrics.map(\.name) == ["rq_200"])
  }

  @Test func judgedOneByOne() throws {
    let registry = try makeRegistry { $0.matcher = .excluding([.contains("curves")]) }
    let family = registry.namedFamily("ssl", Self.names)
    registry.mainSlab.increment(family, index: 64)
    registry.mainSlab.increment(family, index: 499)
    #expect(registry.metrics.map(\.name) == ["ssl.versions.TLSv1.3"])
  }

  @Test func hiddenScopesHaveNone() throws {
    let registry = try makeRegistry()
    let scope = registry.makeScope(prefix: "h.", isHidden: true)
    #expect(scope.namedFamily("ssl", Self.names) == .discarded)
    registry.mainSlab.increment(.discarded, index: 0)
    #expect(registry.metrics.isEmpty)
  }
}
