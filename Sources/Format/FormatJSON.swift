import Primitives

/// The shape of a JSON format, as `google.protobuf.Struct` gives it.
public enum FormatJSON: Sendable {
  case object([String: FormatJSON])
  case list([FormatJSON])
  /// Text with operators.
  case text(String)
  case number(Double)
  case bool(Bool)
  case null
}

/// One step of a JSON format.
struct FormatNode: BitwiseCopyable {
  enum Kind: UInt8 {
    case beginObject, endObject, beginList, endList
    /// A member's name; a value follows.
    case key
    /// A value that is always the same, ready to copy.
    case constant
    /// A value of one operator: typed, and null when missing.
    case single
    /// A string made of several parts.
    case mixed
  }

  var kind: Kind
  /// `key`, `constant`: JSON text.
  var text: ByteView = .empty
  /// `single`, `mixed`: operations.
  var from: Int32 = 0
  var count: Int32 = 0
}

/// Flattens a ``FormatJSON``.
struct FormatJSONCompiler {
  let memory: ConfigurationMemory
  let parser: FormatParser
  var nodes: [FormatNode] = []
  var operations: [FormatOperation] = []

  init(memory: ConfigurationMemory, parser: FormatParser) {
    self.memory = memory
    self.parser = parser
  }

  mutating func compile(_ value: FormatJSON) throws(FormatError) {
    switch value {
    case .object(let members):
      nodes.append(FormatNode(kind: .beginObject))
      for key in members.keys.sorted(by: { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) }) {
        guard let member = members[key] else { continue }
        nodes.append(FormatNode(kind: .key, text: memory.store(bytes: quoted(key) + [58])))
        try compile(member)
      }
      nodes.append(FormatNode(kind: .endObject))
    case .list(let elements):
      nodes.append(FormatNode(kind: .beginList))
      for element in elements { try compile(element) }
      nodes.append(FormatNode(kind: .endList))
    case .text(let text):
      let parsed = try parser.parse(text)
      if parsed.allSatisfy({ $0.kind == .literal }) {
        let literal = parsed.map(\.text.string).joined()
        nodes.append(FormatNode(kind: .constant, text: memory.store(bytes: quoted(literal))))
      } else {
        nodes.append(
          FormatNode(
            kind: parsed.count == 1 ? .single : .mixed,
            from: Int32(operations.count), count: Int32(parsed.count)))
        operations += parsed
      }
    case .number(let number):
      let text =
        number == number.rounded() && number.magnitude < 9e15
        ? "\(Int64(number))" : number.isFinite ? "\(number)" : "null"
      nodes.append(FormatNode(kind: .constant, text: memory.store(text)))
    case .bool(let flag):
      nodes.append(FormatNode(kind: .constant, text: memory.store(flag ? "true" : "false")))
    case .null:
      nodes.append(FormatNode(kind: .constant, text: memory.store("null")))
    }
  }

  private func quoted(_ text: String) -> [UInt8] {
    let source = Array(text.utf8)
    let capacity = source.count * 6 + 2
    return [UInt8](unsafeUninitializedCapacity: capacity) { room, count in
      guard let base = room.baseAddress else { return }
      var sink = ByteSink(base, capacity: capacity)
      sink.write(UInt8(ascii: "\""))
      source.withUnsafeBufferPointer {
        if let first = $0.baseAddress { JSONText.write(ByteView(first, $0.count), to: &sink) }
      }
      sink.write(UInt8(ascii: "\""))
      count = sink.count
    }
  }
}

extension FormatProgram {
  func writeJSON(context: borrowing FormatContext, to sink: inout ByteSink) {
    var at = 0
    _ = writeValue(&at, context, &sink)
    sink.write(UInt8(ascii: "\n"))
  }

  /// Writes the value that begins at node `at` and steps behind it. Returns false when it is to be
  /// left out; the sink is then as before. Recursion is as deep as the format is nested.
  private func writeValue(
    _ at: inout Int, _ context: borrowing FormatContext, _ sink: inout ByteSink
  ) -> Bool {
    let node = nodes[at]
    at += 1
    switch node.kind {
    case .constant:
      sink.write(node.text)
      return true
    case .single:
      return writeSingle(operations[Int(node.from)], context, &sink)
    case .mixed:
      sink.write(UInt8(ascii: "\""))
      for i in Int(node.from)..<Int(node.from + node.count) {
        if !operations[i].write(context, to: &sink, escaping: .json), !omitsEmptyValues {
          sink.write(UInt8(ascii: "-"))
        }
      }
      sink.write(UInt8(ascii: "\""))
      return true
    case .beginObject, .beginList:
      return writeMembers(isObject: node.kind == .beginObject, &at, context, &sink)
    case .endObject, .endList, .key:
      return false
    }
  }

  private func writeSingle(
    _ operation: FormatOperation, _ context: borrowing FormatContext, _ sink: inout ByteSink
  ) -> Bool {
    let mark = sink.count
    let quotes = !operation.isNumeric
    if quotes { sink.write(UInt8(ascii: "\"")) }
    if operation.write(context, to: &sink, escaping: .json) {
      if quotes { sink.write(UInt8(ascii: "\"")) }
      return true
    }
    sink.rewind(to: mark)
    if omitsEmptyValues { return false }
    sink.write("null")
    return true
  }

  /// An object or list without the members that are left out; left out itself when it had some
  /// and all were.
  private func writeMembers(
    isObject: Bool, _ at: inout Int, _ context: borrowing FormatContext, _ sink: inout ByteSink
  ) -> Bool {
    let start = sink.count
    sink.write(isObject ? 123 : 91)
    let end: FormatNode.Kind = isObject ? .endObject : .endList
    var written = 0
    var omitted = 0
    while at < nodeCount, nodes[at].kind != end {
      let mark = sink.count
      if written > 0 { sink.write(UInt8(ascii: ",")) }
      if isObject {
        sink.write(nodes[at].text)
        at += 1
      }
      if writeValue(&at, context, &sink) {
        written += 1
      } else {
        omitted += 1
        sink.rewind(to: mark)
      }
    }
    at += 1
    if omitted > 0, written == 0, isObject, at < nodeCount {
      sink.rewind(to: start)
      return false
    }
    sink.write(isObject ? 125 : 93)
    return true
  }
}
