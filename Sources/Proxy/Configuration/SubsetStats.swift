public import Stats

/// What subsets count (Envoy's `lb_subsets_*`).
public struct SubsetStats: Sendable {
  /// A choice each.
  let selected, fallback, fallbackPanic: Counter
  /// Main's.
  public let created, removed: Counter
  public let active, singleHostDuplicates: Gauge

  init(_ scope: StatsScope) {
    selected = scope.counter("lb_subsets_selected")
    fallback = scope.counter("lb_subsets_fallback")
    fallbackPanic = scope.counter("lb_subsets_fallback_panic")
    created = scope.counter("lb_subsets_created")
    removed = scope.counter("lb_subsets_removed")
    active = scope.gauge("lb_subsets_active")
    singleHostDuplicates = scope.gauge("lb_subsets_single_host_per_subset_duplicate")
  }
}
