/// A message as a text gave it: typed values, each with its place. Sources are merged and rules
/// checked on this form, because the final messages no longer know where they came from.
struct MessageNode: Sendable {
  let type: MessageType
  let location: SourceLocation
  /// In the order of the text; a field occurs once.
  var fields: [FieldNode] = []
  /// A field here was not understood, so a missing one may be the one that was meant.
  var hasFaults = false

  subscript(index fieldIndex: Int) -> FieldNode? {
    fields.first { $0.index == fieldIndex }
  }
}

struct FieldNode: Sendable {
  /// Index into the fields of the message's type.
  let index: Int
  /// Of the field's name.
  let location: SourceLocation
  var content: FieldContent
}

enum FieldContent: Sendable {
  case single(ValueNode)
  case list([ValueNode])
  case map([(key: String, value: ValueNode)])
  /// Already reported; nothing further is checked.
  case invalid
}

struct ValueNode: Sendable {
  let location: SourceLocation
  var value: Value
}

enum Value: Sendable {
  case bool(Bool)
  case signed(Int64)
  case unsigned(UInt64)
  case double(Double)
  case string(String)
  case bytes([UInt8])
  case enumeration(Int32)
  case message(MessageNode)
  case invalid
}
