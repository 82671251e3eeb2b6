import Primitives
import Testing

@testable import TLS

@Suite struct CertificateTableTests {
  typealias Entry = CertificateTable.Entry

  static let entries: [Entry] = [
    Entry(serverNames: ["first.example"], curve: nil),
    Entry(serverNames: ["a.example", "*.w.example"], curve: nil),
    Entry(serverNames: ["a.example"], curve: .p256),
    Entry(serverNames: ["a.example", "b.example"], curve: .p384),
    Entry(serverNames: ["x.w.example"], curve: .p256),
  ]

  struct Row: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let name: String
    var curves: CurveSet = .all
    var scansAll = false
    let index: Int?
  }

  static let rows: [Row] = [
    Row(testDescription: "ECDSA first", name: "a.example", index: 2),
    Row(testDescription: "RSA for those who cannot", name: "a.example", curves: [], index: 1),
    Row(testDescription: "the first ECDSA of a name alone", name: "a.example", curves: .p384, index: 1),
    Row(testDescription: "another curve when nothing else is there", name: "b.example", curves: .p256, index: 3),
    Row(testDescription: "one label", name: "y.w.example", index: 1),
    Row(testDescription: "exact before wildcard", name: "x.w.example", index: 4),
    Row(testDescription: "two labels", name: "z.y.w.example", index: 0),
    Row(testDescription: "no label", name: "w.example", index: 0),
    Row(testDescription: "an empty label", name: ".w.example", index: 0),
    Row(testDescription: "no name: the kind of key alone", name: "", index: 2),
    Row(testDescription: "no name, no ECDSA", name: "", curves: [], index: 0),
    Row(testDescription: "unknown", name: "c.example", index: 0),
    Row(testDescription: "a star is no name", name: "*.w.example", index: 1),
    Row(testDescription: "scan", name: "c.example", scansAll: true, index: 2),
    Row(testDescription: "scan without ECDSA", name: "c.example", curves: [], scansAll: true, index: 0),
  ]

  static func choose(
    _ table: CertificateTable, _ name: String, _ curves: CurveSet = .all, staple: Bool = false, now: Int64 = 100
  ) -> CertificateTable.Choice {
    Array(name.utf8).withView { table.choose(serverName: $0, curves: curves, wantsStaple: staple, now: now) }
  }

  @Test(arguments: rows)
  func chooses(_ row: Row) {
    let table = CertificateTable(Self.entries, scansAll: row.scansAll)
    #expect(Self.choose(table, row.name, row.curves).index == row.index)
  }

  @Test func staples() {
    var old = Entry(serverNames: ["a"], curve: .p256)
    old.stapleEnds = 50
    var fresh = Entry(serverNames: ["a"], curve: nil)
    fresh.stapleEnds = 200
    var needy = Entry(serverNames: ["m"], curve: .p256)
    needy.mustStaple = true
    let bare = Entry(serverNames: ["b"], curve: .p256)
    func choice(_ name: String, _ policy: StaplePolicy, asks: Bool = true) -> CertificateTable.Choice {
      Self.choose(CertificateTable([old, fresh, needy, bare], policy: policy), name, staple: asks)
    }
    #expect(choice("a", .lenient) == .init(index: 0, sendsStaple: false))
    #expect(choice("a", .strict) == .init(index: 1, sendsStaple: true))
    #expect(choice("a", .must) == .init(index: 1, sendsStaple: true))
    #expect(choice("a", .must, asks: false) == .init(index: 0, sendsStaple: false))
    #expect(choice("m", .lenient) == .init(index: nil, sendsStaple: false))
    #expect(choice("m", .lenient, asks: false).index == 2)
    #expect(choice("b", .strict) == .init(index: 3, sendsStaple: false))
    #expect(choice("b", .must).index == nil)
  }

  @Test func manyNames() {
    let entries = (0..<2_000).map { Entry(serverNames: ["h\($0).example", "*.h\($0).example"], curve: nil) }
    let table = CertificateTable(entries)
    for i in stride(from: 0, to: 2_000, by: 37) {
      #expect(Self.choose(table, "h\(i).example").index == i)
      #expect(Self.choose(table, "x.h\(i).example").index == i)
    }
    #expect(Self.choose(CertificateTable([]), "a") == .init(index: nil, sendsStaple: false))
  }
}
