/// Regular expressions with RE2's syntax and linear-time matching. Knows no configuration, no
/// headers: bytes in, yes or no out.
import CRE2
import Primitives

/// Why a pattern or a rewrite text was refused.
public struct RegexError: Error, Equatable, CustomStringConvertible {
  public let pattern: String
  /// RE2's own message, or ours about the size.
  public let message: String

  public init(pattern: String, message: String) {
    self.pattern = pattern
    self.message = message
  }

  public var description: String { "regular expression \"\(pattern)\": \(message)" }
}

/// Owns one compiled expression. The request path uses ``handle``, which counts no references.
public final class Regex: Sendable {
  public let pattern: String
  public let handle: RegexHandle

  /// - Parameter programSizeMax: Largest program in RE2's own measure; nil sets no limit.
  /// - Throws: ``RegexError`` with RE2's message.
  public init(
    _ pattern: String, caseSensitive: Bool = true, programSizeMax: Int? = nil
  ) throws(RegexError) {
    var bytes = pattern
    var message = [CChar](repeating: 0, count: 512)
    let compiled = bytes.withUTF8 { text in
      message.withUnsafeMutableBufferPointer { room in
        cre2_compile(
          text.baseAddress ?? ByteView.empty.base, text.count, caseSensitive ? 1 : 0,
          room.baseAddress, room.count)
      }
    }
    guard let compiled else {
      throw RegexError(pattern: pattern, message: Self.text(message))
    }
    let size = Int(cre2_program_size(compiled))
    if let programSizeMax, size > programSizeMax {
      cre2_delete(compiled)
      throw RegexError(
        pattern: pattern,
        message: "program size \(size) is above the limit of \(programSizeMax)")
    }
    self.pattern = pattern
    self.handle = RegexHandle(compiled)
  }

  deinit { cre2_delete(handle.raw) }

  public var programSize: Int { Int(cre2_program_size(handle.raw)) }
  public var groupCount: Int { Int(cre2_group_count(handle.raw)) }

  /// Checks that `\0` to `\9` in `rewrite` name groups of this expression.
  public func check(rewrite: String) throws(RegexError) {
    var bytes = rewrite
    var message = [CChar](repeating: 0, count: 512)
    let isValid = bytes.withUTF8 { text in
      message.withUnsafeMutableBufferPointer { room in
        cre2_check_rewrite(
          handle.raw, text.baseAddress ?? ByteView.empty.base, text.count,
          room.baseAddress, room.count)
      }
    }
    if isValid == 0 {
      throw RegexError(
        pattern: pattern, message: "substitution \"\(rewrite)\": \(Self.text(message))")
    }
  }

  private static func text(_ message: [CChar]) -> String {
    String(decoding: message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}

/// A compiled expression owned by a ``Regex`` that outlives it; a trivial value for flat tables.
/// Matching is thread safe and allocates nothing on our side.
@frozen
public struct RegexHandle: @unchecked Sendable {
  // Sendable: RE2 objects may be matched from many threads at once.
  @usableFromInline let raw: OpaquePointer

  @usableFromInline init(_ raw: OpaquePointer) { self.raw = raw }

  /// Whether the expression matches all of `text`.
  @inlinable
  public func matchesWhole(_ text: ByteView) -> Bool {
    cre2_full_match(raw, text.base, text.count) != 0
  }

  /// Whether the expression matches somewhere in `text`.
  @inlinable
  public func matchesPart(_ text: ByteView) -> Bool {
    cre2_partial_match(raw, text.base, text.count) != 0
  }

  /// `text` with every match replaced by `rewrite`, which ``Regex/check(rewrite:)`` accepted.
  ///
  /// - Returns: `text` itself when nothing matched, otherwise bytes in `arena`.
  public func replacingAll(
    in text: ByteView, with rewrite: ByteView, arena: inout Arena
  ) -> ByteView {
    var replacements: Int32 = 0
    var capacity = text.count + rewrite.count + 64
    // The first guess suffices unless groups repeat; the result's length is exact, so the second
    // round always does.
    for _ in 0..<2 {
      let target = arena.allocate(capacity)
      let length = cre2_global_replace(
        raw, text.base, text.count, rewrite.base, rewrite.count, target, capacity, &replacements)
      if length < 0 || replacements == 0 { return text }
      if Int(length) <= capacity { return ByteView(target, Int(length)) }
      capacity = Int(length)
    }
    return text
  }
}
