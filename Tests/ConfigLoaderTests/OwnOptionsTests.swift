import Testing

/// `metadata.filter_metadata.apus`: read against messages of our own where we have some, left alone elsewhere.
@Suite struct OwnOptionsTests {
  private func errors(ofCluster metadata: String) -> [String] {
    lines("static_resources: {clusters: [{name: a, metadata: {filter_metadata: {\(metadata)}}}]}")
      .map { $0.replacing("static_resources.clusters[0].metadata.filter_metadata", with: "M") }
  }

  @Test(arguments: [
    ("apus: {retry_connect_failures: false}", []),
    ("apus: {}", []),
    (
      "apus: {latency_outlir: {}}",
      [#"a.yaml:1:76: M["apus"]: unknown field "latency_outlir", did you mean "latency_outlier"?"#]
    ),
    (
      "apus: {latency_outlier: {enforcing: 101, minimum_ratio: 0.5}}",
      [
        #"a.yaml:1:105: M["apus"].latency_outlier.enforcing: must be at most 100, got 101"#,
        #"a.yaml:1:125: M["apus"].latency_outlier.minimum_ratio: must be at least 1, got 0.5"#,
      ]
    ),
    ("envoy.lb: {latency_outlir: {}}", []),
  ])
  func ofClusters(metadata: String, want: [String]) {
    let found = errors(ofCluster: metadata)
    // Columns are the YAML reader's affair.
    #expect(found.map(Self.withoutPlace) == want.map(Self.withoutPlace))
    #expect(found.allSatisfy { $0.hasPrefix("a.yaml:1:") })
  }

  private static func withoutPlace(_ line: String) -> String {
    line.split(separator: " ", maxSplits: 1).last.map(String.init) ?? ""
  }
}
