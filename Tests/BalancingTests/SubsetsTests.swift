import Balancing
import Testing

@Suite struct SubsetsTests {
  static func pair(_ key: String, _ value: String) -> MetadataPair {
    MetadataPair(key: bytes(key), value: bytes(value))
  }

  static func pairs(_ text: String) -> [MetadataPair] {
    text.split(separator: " ").map { part in
      let halves = part.split(separator: "=", maxSplits: 1)
      let value = String(halves[1])
      guard value.hasPrefix("[") else { return pair(String(halves[0]), value) }
      let elements = value.dropFirst().dropLast().split(separator: ",")
      return MetadataPair(
        key: bytes(String(halves[0])), value: bytes(value),
        elements: elements.map { Array($0.utf8) })
    }
  }

  static func selector(
    _ keys: String, _ fallback: SubsetSelector.Fallback = .undefined, hasSingleHost: Bool = false
  ) throws -> SubsetSelector {
    try SubsetSelector(
      keys: keys.split(separator: " ").map { Array($0.utf8) }, fallback: fallback,
      hasSingleHost: hasSingleHost)
  }

  static func hosts(_ index: SubsetIndex, _ match: String) -> [UInt32]? {
    let digest = SubsetDigest.of(pairs(match))
    let storage = SubsetTableStorage(index)
    return withExtendedLifetime(storage) {
      storage.table.find(digest).map { index.subsets[Int($0)].hosts }
    }
  }

  // The documentation's hosts (subsets.rst, examples).
  static let documented = [
    "stage=prod version=1.0 type=std xlarge=true", "stage=prod version=1.0 type=std",
    "stage=prod version=1.1 type=std", "stage=prod version=1.1 type=std",
    "stage=prod version=1.0 type=bigmem", "stage=prod version=1.1 type=bigmem",
    "stage=dev version=1.2-pre type=std",
  ].map(pairs)

  @Test func theDocumentedSubsets() throws {
    let settings = SubsetSettings(
      fallback: .defaultSubset, defaultSubset: Self.pairs("stage=prod version=1.0 type=std"),
      selectors: [
        try Self.selector("stage type"), try Self.selector("stage version"),
        try Self.selector("version"), try Self.selector("xlarge version"),
      ])
    let index = try SubsetIndex(settings, hosts: Self.documented)
    let want: [(String, [UInt32])] = [
      ("stage=prod type=std", [0, 1, 2, 3]), ("stage=prod type=bigmem", [4, 5]),
      ("stage=dev type=std", [6]), ("stage=prod version=1.0", [0, 1, 4]),
      ("stage=prod version=1.1", [2, 3, 5]), ("stage=dev version=1.2-pre", [6]),
      ("version=1.0", [0, 1, 4]), ("version=1.1", [2, 3, 5]), ("version=1.2-pre", [6]),
      ("version=1.0 xlarge=true", [0]),
    ]
    #expect(index.subsets.count == want.count)
    for (match, hosts) in want { #expect(Self.hosts(index, match) == hosts, "\(match)") }
    #expect(Self.hosts(index, "xlarge=true version=1.0") == [0], "keys are sorted")
    #expect(index.defaultHosts == [0, 1])
    #expect(index.singleHostDuplicates == 0)
    for match in ["stage=prod", "stage=prod type=none", "version=1", "xlarge=true", "", "a=b"] {
      #expect(Self.hosts(index, match) == nil, "\(match)")
    }
  }

  @Test func digestsAreOfKeysAndValues() {
    #expect(
      SubsetDigest.of(Self.pairs("b=2 a=1")) == hash("a\u{0}1\u{0}b\u{0}2\u{0}"))
    #expect(SubsetDigest.of(Self.pairs("a=1 a=2")) == SubsetDigest.of(Self.pairs("a=2")))
    #expect(SubsetDigest.of(Self.pairs("a=1b b=2")) != SubsetDigest.of(Self.pairs("a=1 bb=2")))
    #expect(SubsetDigest.of([]) == hash(""))
  }

  @Test func aSingleHostStandsForAll() throws {
    let settings = SubsetSettings(selectors: [try Self.selector("id", hasSingleHost: true)])
    let index = try SubsetIndex(settings, hosts: ["id=a", "id=b", "id=a", "x=y", "id=a"].map(Self.pairs))
    #expect(index.subsets.map(\.hosts) == [[0], [1]])
    #expect(index.singleHostDuplicates == 2)
  }

  @Test func listsAreOneValueOrMany() throws {
    var settings = SubsetSettings(
      defaultSubset: Self.pairs("tag=b"), selectors: [try Self.selector("tag zone")])
    let hosts = ["tag=[a,b] zone=[1,2,1]", "tag=b zone=2", "tag=[] zone=1"].map(Self.pairs)
    let whole = try SubsetIndex(settings, hosts: hosts)
    #expect(whole.subsets.map(\.hosts) == [[0], [1], [2]])
    #expect(whole.defaultHosts == [1])
    #expect(Self.hosts(whole, "tag=[a,b] zone=[1,2,1]") == [0])
    settings.isListAny = true
    let any = try SubsetIndex(settings, hosts: hosts)
    #expect(any.subsets.count == 4)
    for (match, want) in [
      ("tag=a zone=1", [0]), ("tag=a zone=2", [0]), ("tag=b zone=1", [0]), ("tag=b zone=2", [0, 1]),
    ] as [(String, [UInt32])] {
      #expect(Self.hosts(any, match) == want, "\(match)")
    }
    #expect(any.defaultHosts == [0, 1])
  }

  @Test func everybodyIsInADefaultSubsetOfNothing() throws {
    let index = try SubsetIndex(SubsetSettings(), hosts: ["a=1", ""].map(Self.pairs))
    #expect(index.defaultHosts == [0, 1])
    #expect(index.subsets.isEmpty)
    #expect(Self.hosts(index, "a=1") == nil)
  }

  @Test func theSameSelectorTwiceAddsAHostOnce() throws {
    let settings = SubsetSettings(
      selectors: [try Self.selector("a b"), try Self.selector("b a"), try Self.selector("")])
    let index = try SubsetIndex(settings, hosts: [Self.pairs("a=1 b=2")])
    #expect(index.subsets.map(\.hosts) == [[0]])
  }

  @Test func subsetsHaveALimit() throws {
    let settings = SubsetSettings(selectors: [try Self.selector("id")])
    func hosts(_ count: Int) -> [[MetadataPair]] { (0..<count).map { Self.pairs("id=\($0)") } }
    #expect(try SubsetIndex(settings, hosts: hosts(10_000)).subsets.count == 10_000)
    #expect(throws: SubsetError.tooManySubsets) { try SubsetIndex(settings, hosts: hosts(10_001)) }
  }

  /// Ten keys with ten values each: ten thousand millions of combinations.
  @Test func combinationsHaveTheSameLimit() throws {
    let keys = "abcdefghij"
    let settings = SubsetSettings(
      selectors: [try Self.selector(keys.map { String($0) }.joined(separator: " "))],
      isListAny: true)
    let host = Self.pairs(keys.map { "\($0)=[0,1,2,3,4,5,6,7,8,9]" }.joined(separator: " "))
    #expect(throws: SubsetError.tooManySubsets) { try SubsetIndex(settings, hosts: [host]) }
  }

  @Test func everyDigestIsFound() throws {
    let settings = SubsetSettings(selectors: [try Self.selector("id")])
    let index = try SubsetIndex(settings, hosts: (0..<3000).map { Self.pairs("id=\($0)") })
    let storage = SubsetTableStorage(index)
    withExtendedLifetime(storage) {
      for (number, subset) in index.subsets.enumerated() {
        #expect(storage.table.find(subset.digest) == UInt32(number))
        #expect(storage.table.find(subset.digest &+ 1) == nil)
      }
    }
  }

  @Test func selectorsAreChecked() {
    #expect(throws: SubsetError.fallbackKeysMissing) { try Self.selector("a b", .keysSubset([])) }
    #expect(throws: SubsetError.fallbackKeyUnknown) {
      try Self.selector("a b", .keysSubset([bytes("c")]))
    }
    #expect(throws: SubsetError.fallbackKeysEqual) {
      try Self.selector("a b", .keysSubset([bytes("b"), bytes("a")]))
    }
    #expect(throws: Never.self) {
      try Self.selector("a b", .keysSubset([bytes("b"), bytes("b")]))
    }
  }

  // MARK: Plans

  /// Two selectors by each of whose keys the next smaller one is asked.
  static func settings(
    _ fallback: SubsetSettings.Fallback, _ selector: SubsetSelector.Fallback = .undefined,
    isPanicAny: Bool = false
  ) throws -> SubsetSettings {
    SubsetSettings(
      fallback: fallback, defaultSubset: pairs("stage=prod"),
      selectors: [try Self.selector("stage version", selector), try Self.selector("stage")],
      isPanicAny: isPanicAny)
  }

  struct Row: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let settings: SubsetSettings
    let match: String
    var list: [String] = []
    /// Targets that have nobody, so the next is asked for.
    let want: [String]
  }

  static func row(
    _ testDescription: String, _ settings: @autoclosure () throws -> SubsetSettings, _ match: String,
    list: [String] = [], want: [String]
  ) -> Row {
    // Rows are built from selectors that are right.
    Row(
      testDescription: testDescription, settings: (try? settings()) ?? SubsetSettings(),
      match: match, list: list, want: want)
  }

  static let rows = [
    row("a subset that is there is the answer, whatever it has", try settings(.anyEndpoint, isPanicAny: true),
      "stage=prod version=1.0", want: ["stage=prod version=1.0"]),
    row("no subset, no fallback", try settings(.nobody, isPanicAny: true), "stage=prod version=9", want: []),
    row("anybody", try settings(.anyEndpoint), "stage=prod version=9", want: ["fallback any"]),
    row("default", try settings(.defaultSubset), "stage=prod version=9", want: ["fallback default"]),
    row("default, and panic when it has nobody", try settings(.defaultSubset, isPanicAny: true),
      "stage=prod version=9", want: ["fallback default", "panic any"]),
    row("unknown keys: the cluster says", try settings(.defaultSubset, .nobody), "a=b",
      want: ["fallback default"]),
    row("no match: the cluster says", try settings(.anyEndpoint, .nobody), "", want: ["fallback any"]),
    row("fewer keys than a selector has", try settings(.anyEndpoint, .nobody), "version=1.0",
      want: ["fallback any"]),
    row("more keys than any selector has", try settings(.anyEndpoint, .nobody),
      "stage=prod version=1.0 a=b", want: ["fallback any"]),
    row("the selector says nobody", try settings(.anyEndpoint, .nobody, isPanicAny: true),
      "stage=prod version=9", want: []),
    row("the selector says anybody: no panic behind it",
      try settings(.defaultSubset, .anyEndpoint, isPanicAny: true), "stage=prod version=9",
      want: ["any"]),
    row("the selector says default", try settings(.anyEndpoint, .defaultSubset, isPanicAny: true),
      "stage=prod version=9", want: ["default"]),
    row("the selector says fewer keys", try settings(.nobody, .keysSubset([bytes("stage")])),
      "stage=prod version=9", want: ["stage=prod"]),
    row("fewer keys are not there either: their selector, then the cluster",
      try settings(.defaultSubset, .keysSubset([bytes("stage")])), "stage=test version=9",
      want: ["fallback default"]),
    row("fewer keys without a selector: the cluster",
      try settings(.anyEndpoint, .keysSubset([bytes("version")])), "stage=test version=9",
      want: ["fallback any"]),
    row("a list: each entry over the match", try settings(.nobody), "stage=dev version=1.2-pre",
      list: ["version=7", "stage=prod version=1.1", "version=1.2-pre"],
      want: ["stage=prod version=1.1", "stage=dev version=1.2-pre"]),
    row("a list: each entry has its fallback", try settings(.anyEndpoint, isPanicAny: true), "stage=prod",
      list: ["version=7", "version=1.0"],
      want: ["fallback any", "panic any", "stage=prod version=1.0"]),
    row("a list: fallbacks of selectors end an entry only",
      try settings(.nobody, .defaultSubset), "stage=prod", list: ["version=7", "version=8", "version=1.0"],
      want: ["default", "default", "stage=prod version=1.0"]),
    row("redundant keys are no match", try settings(.nobody), "stage=prod version=1.0 a=b", want: []),
    row("redundant keys left out",
      {
        var settings = try Self.settings(.nobody)
        settings.allowsRedundantKeys = true
        return settings
      }, "stage=prod version=1.0 a=b", want: ["stage=prod version=1.0"]),
    row("redundant keys left out: the first selector that fits",
      {
        var settings = try Self.settings(.nobody)
        settings.selectors.swapAt(0, 1)
        settings.allowsRedundantKeys = true
        return settings
      }, "stage=prod version=1.0 a=b", want: ["stage=prod"]),
  ]

  static func row(
    _ testDescription: String, _ settings: () throws -> SubsetSettings, _ match: String,
    list: [String] = [], want: [String]
  ) -> Row {
    row(testDescription, try settings(), match, list: list, want: want)
  }

  @Test(arguments: rows)
  func walk(_ row: Row) throws {
    try #require(!row.settings.selectors.isEmpty)
    let index = try SubsetIndex(row.settings, hosts: Self.documented)
    let names = [
      "stage=prod version=1.0", "stage=prod version=1.1", "stage=dev version=1.2-pre", "stage=prod",
      "stage=dev",
    ]
    #expect(index.subsets.count == names.count)
    let plan = SubsetPlan(
      row.settings, match: Self.pairs(row.match), fallbackList: row.list.map(Self.pairs))
    let storage = SubsetTableStorage(index)
    var walked: [String] = []
    withExtendedLifetime(storage) {
      plan.steps.withUnsafeBufferPointer { steps in
        var walk = SubsetWalk()
        while let target = walk.next(steps, storage.table) {
          switch target.kind {
          case .subset:
            let digest = index.subsets[Int(target.subset)].digest
            walked.append(names.first { SubsetDigest.of(Self.pairs($0)) == digest } ?? "?")
          case .anyEndpoint: walked.append("any")
          case .defaultSubset: walked.append("default")
          case .fallbackAny: walked.append("fallback any")
          case .fallbackDefault: walked.append("fallback default")
          case .panicAny: walked.append("panic any")
          }
        }
        #expect(walk.next(steps, storage.table) == nil)
      }
    }
    #expect(walked == row.want)
  }

  @Test func longListsEnd() throws {
    let entries = [[MetadataPair]](repeating: Self.pairs("version=7"), count: 100_000)
    let plan = SubsetPlan(
      try Self.settings(.anyEndpoint), match: Self.pairs("stage=a"), fallbackList: entries)
    #expect(plan.steps.count == 2 * SubsetPlan.alternativesMax)
    #expect(plan.steps.last?.alternative == 1023)
  }
}
