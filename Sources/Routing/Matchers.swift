import Format
import HTTPCore
import Primitives
import RegularExpressions

/// A compiled condition on one text.
struct StringMatcher: BitwiseCopyable {
  enum Kind: UInt8 { case exact, prefix, suffix, contains, regex }

  var kind: Kind
  var text: ByteView
  var ignoresCase: Bool
  var regex: RegexHandle?

  func matches(_ value: ByteView) -> Bool {
    switch kind {
    case .exact: return ignoresCase ? value.equalsIgnoringCase(text) : value == text
    case .prefix: return ignoresCase ? value.hasPrefixIgnoringCase(text) : value.hasPrefix(text)
    case .suffix: return ignoresCase ? value.hasSuffixIgnoringCase(text) : value.hasSuffix(text)
    case .contains: return ignoresCase ? value.containsIgnoringCase(text) : value.contains(text)
    case .regex: return regex?.matchesWhole(value) ?? false
    }
  }
}

extension ByteView {
  func containsIgnoringCase(_ needle: ByteView) -> Bool {
    var from = 0
    while from + needle.count <= count {
      if dropFirst(from).prefix(needle.count).equalsIgnoringCase(needle) { return true }
      from += 1
    }
    return false
  }

  /// A decimal integer with an optional sign.
  var signedDecimal: Int64? {
    let text = trimmed()
    guard text.count > 0 else { return nil }
    let isNegative = text[0] == UInt8(ascii: "-")
    let digits = isNegative || text[0] == UInt8(ascii: "+") ? text.dropFirst(1) : text
    let limit = UInt64(Int64.max) + (isNegative ? 1 : 0)
    guard let magnitude = digits.decimal(limit: limit) else { return nil }
    return isNegative ? Int64(truncatingIfNeeded: 0 &- magnitude) : Int64(magnitude)
  }
}

/// A compiled condition on a header. A repeated header matches when one of its values does;
/// inverted, when none does (as Envoy 1.40 behaves).
struct HeaderMatcher: BitwiseCopyable {
  enum Kind: UInt8 { case string, range, present }

  var name: ByteView
  var known: KnownHeader
  var kind: Kind
  var string: StringMatcher
  var start: Int64
  var end: Int64
  var isPresent: Bool
  var inverts: Bool
  var treatsMissingAsEmpty: Bool

  func matches(_ headers: UnsafePointer<HeaderMap>) -> Bool {
    if known != .other, !headers.pointee.contains(known) { return matchesMissing }
    var isFound = false
    for i in 0..<headers.pointee.slotCount {
      let field = headers.pointee[slot: i]
      guard !field.isRemoved, field.known == known, known != .other || field.name == name else {
        continue
      }
      isFound = true
      if kind == .present { break }
      if test(field.value) { return !inverts }
    }
    if !isFound { return matchesMissing }
    return kind == .present ? isPresent != inverts : inverts
  }

  private var matchesMissing: Bool {
    if kind == .present { return (treatsMissingAsEmpty == isPresent) != inverts }
    return treatsMissingAsEmpty && test(.empty) != inverts
  }

  private func test(_ value: ByteView) -> Bool {
    if kind == .string { return string.matches(value) }
    guard let number = value.signedDecimal else { return false }
    return number >= start && number < end
  }
}

/// A compiled condition on the first value of a query parameter, not decoded.
struct QueryParameterMatcher: BitwiseCopyable {
  var name: ByteView
  /// Nil: only presence counts.
  var string: StringMatcher?
  var isPresent: Bool

  func matches(query: ByteView?) -> Bool {
    let value = query?.queryParameter(name)
    guard let string else { return (value != nil) == isPresent }
    guard let value else { return false }
    return string.matches(value)
  }
}
