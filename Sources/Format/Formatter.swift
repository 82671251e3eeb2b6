/// Substitution formats (`%REQ(X)%` and the like) for access logs, header values and local
/// replies. Knows no sockets, no files and no configuration messages: text in, program out;
/// program and stream in, bytes out.
import HTTPCore
import Primitives

/// A compiled format and the memory it needs. Immutable; shared by all workers, which use
/// ``program``.
public final class Formatter: @unchecked Sendable {
  // Sendable: everything is written in the initialiser and only read afterwards.
  private let memory: ConfigurationMemory
  public let program: FormatProgram

  /// Envoy's default text line of HTTP access logs.
  public static let defaultText =
    "[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" "
    + "%RESPONSE_CODE% %RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% "
    + "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% \"%REQ(X-FORWARDED-FOR)%\" \"%REQ(USER-AGENT)%\" "
    + "\"%REQ(X-REQUEST-ID)%\" \"%REQ(:AUTHORITY)%\" \"%UPSTREAM_HOST%\"\n"

  /// - Parameters:
  ///   - text: Literals and operators; `%%` is a percent sign.
  ///   - omitEmptyValues: Show nothing instead of `-` where there is no value.
  public init(
    text: String, omitEmptyValues: Bool = false, environment: FormatEnvironment = .process
  ) throws(FormatError) {
    memory = ConfigurationMemory()
    let parser = FormatParser(memory: memory, environment: environment)
    let operations = try parser.parse(text)
    program = FormatProgram(
      operations: memory.store(operations), operationCount: operations.count,
      nodes: memory.store([FormatNode]()), nodeCount: 0, omitsEmptyValues: omitEmptyValues)
  }

  /// A log line that is one JSON object and a line feed; keys are sorted, values that consist of
  /// one operator keep their type, missing ones are `null` or left out with `omitEmptyValues`.
  public init(
    json: [String: FormatJSON], omitEmptyValues: Bool = false,
    environment: FormatEnvironment = .process
  ) throws(FormatError) {
    memory = ConfigurationMemory()
    var compiler = FormatJSONCompiler(
      memory: memory, parser: FormatParser(memory: memory, environment: environment))
    try compiler.compile(.object(json))
    program = FormatProgram(
      operations: memory.store(compiler.operations), operationCount: compiler.operations.count,
      nodes: memory.store(compiler.nodes), nodeCount: compiler.nodes.count,
      omitsEmptyValues: omitEmptyValues)
  }

  public static func compile(_ text: String) throws(FormatError) -> Formatter {
    try Formatter(text: text)
  }

  public func write(context: borrowing FormatContext, to sink: inout ByteSink) {
    program.write(context: context, to: &sink)
  }
}

/// The trivial handle of a ``Formatter`` that outlives it.
public struct FormatProgram: BitwiseCopyable, @unchecked Sendable {
  // Sendable: points to memory that is read-only after configuration.
  let operations: UnsafePointer<FormatOperation>
  let operationCount: Int
  /// Steps of a JSON format; none for text.
  let nodes: UnsafePointer<FormatNode>
  let nodeCount: Int
  let omitsEmptyValues: Bool

  /// The whole output when it depends on nothing.
  public var constant: ByteView? {
    if nodeCount > 0 { return nil }
    if operationCount == 0 { return .empty }
    return operationCount == 1 && operations[0].kind == .literal ? operations[0].text : nil
  }

  public func write(context: borrowing FormatContext, to sink: inout ByteSink) {
    if nodeCount > 0 {
      writeJSON(context: context, to: &sink)
      return
    }
    for i in 0..<operationCount {
      if !operations[i].write(context, to: &sink, escaping: .none), !omitsEmptyValues {
        sink.write(UInt8(ascii: "-"))
      }
    }
  }

  /// The output in `arena`, cut at `byteCountMax`.
  public func format(
    context: borrowing FormatContext, arena: inout Arena, byteCountMax: Int = 65_536
  ) -> ByteView {
    if let constant { return constant.prefix(byteCountMax) }
    var capacity = min(256, byteCountMax)
    while true {
      var sink = ByteSink(arena.allocate(capacity), capacity: capacity)
      write(context: context, to: &sink)
      if !sink.isTruncated || capacity >= byteCountMax { return sink.written }
      capacity = min(capacity * 4, byteCountMax)
    }
  }
}
