/// A set of indices below 64 * `wordCount`, a bit each, somebody else's memory.
@frozen
public struct MemberBits: @unchecked Sendable {
  // Sendable: published once, never written afterwards.
  public let words: UnsafePointer<UInt64>
  public let wordCount: Int

  @inlinable @inline(__always)
  public init(_ words: UnsafePointer<UInt64>, wordCount: Int) {
    self.words = words
    self.wordCount = wordCount
  }

  @inlinable @inline(__always)
  public func contains(_ index: UInt32) -> Bool {
    let word = Int(index >> 6)
    return word < wordCount && words[word] & (1 << UInt64(index & 63)) != 0
  }

  /// The words of such a set, for whoever builds one.
  public static func words(of members: some Sequence<UInt32>, indexCount: Int) -> [UInt64] {
    var words = [UInt64](repeating: 0, count: (indexCount + 63) / 64)
    for member in members where Int(member) < indexCount {
      words[Int(member >> 6)] |= 1 << UInt64(member & 63)
    }
    return words
  }
}
