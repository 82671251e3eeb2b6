/// Bounds on what a configuration text may ask of the loader.
public enum Limits {
  /// Bytes of one source.
  public static let sourceBytesMax = 64 << 20
  /// Lists and mappings inside one another. Real files stay below 40.
  public static let nestingMax = 100
  /// Values that aliases may add to those written out.
  public static let aliasedValuesMax = 1_000_000
  /// Diagnostics kept; the rest are only counted.
  public static let diagnosticsMax = 1_000
  /// Uses of aliases in a text that also has lists or mappings as keys.
  static let aliasesBesideCollectionKeysMax = 24
}
