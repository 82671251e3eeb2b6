import Glibc

/// The pages of code that this process has mapped.
enum CodePages {
  /// Lets go of all of them: those that are still in use come back from the page cache at their next
  /// use, those that only reading a configuration needed do not. The kernel maps code in large
  /// pieces around each use, so after a start most of what is mapped is never used again.
  static func release() {
    guard let file = fopen("/proc/self/maps", "r") else { return }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 512)
    while fgets(&line, Int32(line.count), file) != nil {
      let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      let fields = text.split(separator: " ", omittingEmptySubsequences: true)
      // Code only: it is never written, so dropping it loses nothing. A name means that a file is
      // behind it.
      guard fields.count >= 6, fields[1] == "r-xp", fields[5].hasPrefix("/") else { continue }
      let bounds = fields[0].split(separator: "-")
      guard bounds.count == 2, let start = UInt(bounds[0], radix: 16),
        let end = UInt(bounds[1], radix: 16), end > start
      else { continue }
      madvise(UnsafeMutableRawPointer(bitPattern: start), Int(end - start), MADV_DONTNEED)
    }
  }
}
