import Stats

/// Keeps a scope's statistics alive as long as a configuration object that counts in them: part of
/// its `owners`. When the last snapshot, listener epoch or host that used the object is gone, so are
/// the statistics (unless a newer configuration asked for the same names).
public final class StatsScopeOwner: Sendable {
  public let scope: StatsScope

  /// - Parameter isHidden: The statistics are read by handle and shown in no list.
  public init(_ registry: StatsRegistry, prefix: String, isHidden: Bool = false) {
    scope = registry.makeScope(prefix: prefix, isHidden: isHidden)
  }

  deinit {
    // Nobody can count in the scope any more: its cells may be used again at once.
    let retired = scope.registry.removeScope(scope)
    scope.registry.recycle(retired)
  }
}
