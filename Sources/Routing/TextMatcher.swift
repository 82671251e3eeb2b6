import Primitives
import RegularExpressions

/// A condition on one text that owns what it needs: for configurations beside the route tables. Immutable.
public final class TextMatcher: @unchecked Sendable {
  // Sendable: nothing changes after init.
  private let bytes: UnsafeMutableBufferPointer<UInt8>
  private let regex: Regex?
  private let matcher: StringMatcher

  /// - Throws: ``RegexError`` with a sentence.
  public init(compiling spec: StringMatcherSpec, ignoresCase: Bool) throws(RegexError) {
    var text = ""
    var kind = StringMatcher.Kind.regex
    var regex: Regex?
    switch spec {
    case .exact(let literal): (text, kind) = (literal, .exact)
    case .prefix(let literal): (text, kind) = (literal, .prefix)
    case .suffix(let literal): (text, kind) = (literal, .suffix)
    case .contains(let literal): (text, kind) = (literal, .contains)
    case .regex(let pattern): regex = try Regex(pattern)
    }
    let utf8 = Array(text.utf8)
    bytes = .allocate(capacity: max(1, utf8.count))
    _ = bytes.update(fromContentsOf: utf8)
    self.regex = regex
    let view = bytes.baseAddress.map { ByteView($0, utf8.count) } ?? .empty
    matcher = StringMatcher(kind: kind, text: view, ignoresCase: ignoresCase, regex: regex?.handle)
  }

  deinit { bytes.deallocate() }

  public func matches(_ text: ByteView) -> Bool { matcher.matches(text) }
}
