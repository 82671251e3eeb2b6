import Primitives

/// What a subset is found by.
public enum SubsetDigest {
  /// xxHash64 over key, NUL, value, NUL of each pair, sorted by key; of equal keys the last counts.
  public static func of(_ pairs: [MetadataPair]) -> UInt64 {
    digest(unique(pairs).map { ($0.key, $0.value) })
  }

  /// Sorted by key, of equal keys the last.
  static func unique(_ pairs: [MetadataPair]) -> [MetadataPair] {
    var last: [[UInt8]: MetadataPair] = [:]
    for pair in pairs { last[pair.key] = pair }
    return last.values.sorted { $0.key.lexicographicallyPrecedes($1.key) }
  }

  /// - Parameter pairs: Sorted by key, each key once.
  static func digest(_ pairs: [(key: [UInt8], value: [UInt8])]) -> UInt64 {
    var bytes: [UInt8] = []
    for pair in pairs {
      bytes += pair.key
      bytes.append(0)
      bytes += pair.value
      bytes.append(0)
    }
    return bytes.withUnsafeBufferPointer { buffer in
      xxHash64(buffer.baseAddress.map { ByteView($0, buffer.count) } ?? .empty)
    }
  }
}
