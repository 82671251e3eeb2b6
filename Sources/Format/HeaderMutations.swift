import HTTPCore
import Primitives

/// What to do to the headers of a message, as configuration says it.
public struct HeaderMutationSpec: Sendable {
  /// Envoy's HeaderAppendAction.
  public enum AppendAction: Sendable, BitwiseCopyable {
    case appendIfExistsOrAdd, addIfAbsent, overwriteIfExistsOrAdd, overwriteIfExists
  }

  public struct Addition: Sendable {
    public var name: String
    /// May hold format operators.
    public var value: String
    public var action: AppendAction
    /// Whether an empty value is added too.
    public var keepsEmptyValue: Bool

    public init(
      name: String, value: String, action: AppendAction = .appendIfExistsOrAdd,
      keepsEmptyValue: Bool = false
    ) {
      self.name = name
      self.value = value
      self.action = action
      self.keepsEmptyValue = keepsEmptyValue
    }
  }

  public var additions: [Addition]
  public var removals: [String]

  public init(additions: [Addition] = [], removals: [String] = []) {
    self.additions = additions
    self.removals = removals
  }

  public var isEmpty: Bool { additions.isEmpty && removals.isEmpty }
}

/// A mutation that was refused, with the place within its specification.
public struct HeaderMutationError: Error, CustomStringConvertible {
  /// e.g. `additions[2].name`, `additions[0].value` or `removals[1]`.
  public let path: String
  public let message: String
  public var description: String { "\(path): \(message)" }

  public init(path: String, message: String) {
    self.path = path
    self.message = message
  }
}

/// One level's compiled mutations. Immutable; the request path uses ``program``.
public final class HeaderMutations: @unchecked Sendable {
  // Sendable: written in the initialiser, read-only afterwards.
  private let memory = ConfigurationMemory()
  private var formatters: [Formatter] = []
  public let program: HeaderMutationProgram

  /// - Throws: For names that are no tokens, pseudo-headers and Host, and for bad formats.
  public init(
    _ spec: HeaderMutationSpec, environment: FormatEnvironment = .process
  ) throws(HeaderMutationError) {
    var additions: [HeaderMutationProgram.Addition] = []
    for (i, addition) in spec.additions.enumerated() {
      try Self.check(addition.name, path: "additions[\(i)].name")
      if addition.value.utf8.contains(where: { $0 == 0 || $0 == 10 || $0 == 13 }) {
        throw HeaderMutationError(
          path: "additions[\(i)].value", message: "may not hold line breaks or NUL")
      }
      let formatter: Formatter
      do {
        formatter = try Formatter(
          text: addition.value, omitEmptyValues: true, environment: environment)
      } catch {
        throw HeaderMutationError(path: "additions[\(i)].value", message: error.description)
      }
      formatters.append(formatter)
      let (name, known) = HeaderName.store(addition.name, memory)
      additions.append(
        HeaderMutationProgram.Addition(
          name: name, known: known, action: addition.action,
          keepsEmptyValue: addition.keepsEmptyValue, value: formatter.program))
    }
    var removals: [HeaderMutationProgram.Removal] = []
    for (i, removal) in spec.removals.enumerated() {
      try Self.check(removal, path: "removals[\(i)]")
      let (name, known) = HeaderName.store(removal, memory)
      removals.append(HeaderMutationProgram.Removal(name: name, known: known))
    }
    program = HeaderMutationProgram(
      additions: memory.store(additions), additionCount: additions.count,
      removals: memory.store(removals), removalCount: removals.count)
  }

  private static func check(_ name: String, path: String) throws(HeaderMutationError) {
    if name.hasPrefix(":") || name.lowercased() == "host" {
      throw HeaderMutationError(
        path: path, message: "\"\(name)\": pseudo-headers and Host cannot be changed here")
    }
    guard HeaderName.isToken(name) else {
      throw HeaderMutationError(path: path, message: "\"\(name)\" is not a header name")
    }
  }
}

/// The trivial handle of a ``HeaderMutations`` that outlives it.
public struct HeaderMutationProgram: BitwiseCopyable, @unchecked Sendable {
  // Sendable: points to memory that is read-only after configuration.
  struct Addition: BitwiseCopyable {
    var name: ByteView
    var known: KnownHeader
    var action: HeaderMutationSpec.AppendAction
    var keepsEmptyValue: Bool
    var value: FormatProgram
  }

  struct Removal: BitwiseCopyable {
    var name: ByteView
    var known: KnownHeader
  }

  let additions: UnsafePointer<Addition>
  let additionCount: Int
  let removals: UnsafePointer<Removal>
  let removalCount: Int

  /// Removes first. Then all values are formatted and all conditions decided on what is left,
  /// overwriting is done before adding: the order of the list matters only between equal actions.
  ///
  /// - Parameter headers: A pointer, since `context` usually points to the same map. New names are
  ///   the program's own bytes, new values come from `arena` or from the program.
  public func apply(
    to headers: UnsafeMutablePointer<HeaderMap>, arena: UnsafeMutablePointer<Arena>,
    context: borrowing FormatContext
  ) {
    for i in 0..<removalCount {
      headers.pointee.remove(name: removals[i].name, known: removals[i].known)
    }
    if additionCount == 0 { return }
    if additionCount == 1 {
      let value = additions[0].value.format(context: context, arena: &arena.pointee)
      if additions[0].takes(value, headers.pointee) {
        additions[0].apply(value, to: &headers.pointee)
      }
      return
    }
    let values = arena.pointee.allocate(of: Decision.self, count: additionCount)
    for i in 0..<additionCount {
      let value = additions[i].value.format(context: context, arena: &arena.pointee)
      (values + i).initialize(
        to: Decision(value: value, isTaken: additions[i].takes(value, headers.pointee)))
    }
    for i in 0..<additionCount where values[i].isTaken && additions[i].overwrites {
      additions[i].apply(values[i].value, to: &headers.pointee)
    }
    for i in 0..<additionCount where values[i].isTaken && !additions[i].overwrites {
      additions[i].apply(values[i].value, to: &headers.pointee)
    }
  }

  private struct Decision: BitwiseCopyable {
    var value: ByteView
    var isTaken: Bool
  }
}

extension HeaderMutationProgram.Addition {
  var overwrites: Bool {
    switch action {
    case .overwriteIfExists, .overwriteIfExistsOrAdd: true
    case .appendIfExistsOrAdd, .addIfAbsent: false
    }
  }

  func takes(_ value: ByteView, _ headers: borrowing HeaderMap) -> Bool {
    if value.isEmpty, !keepsEmptyValue { return false }
    switch action {
    case .appendIfExistsOrAdd, .overwriteIfExistsOrAdd: return true
    case .addIfAbsent: return headers.value(name: name, known: known) == nil
    case .overwriteIfExists: return headers.value(name: name, known: known) != nil
    }
  }

  func apply(_ value: ByteView, to headers: inout HeaderMap) {
    if overwrites {
      headers.set(name: name, value: value, known: known)
    } else {
      headers.append(name: name, value: value, known: known)
    }
  }
}
