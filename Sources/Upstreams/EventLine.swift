import Primitives

/// One line of an event log: a JSON object on a line, fields in the order in which they are added.
struct EventLine {
  private var text = "{"

  mutating func add(_ name: StaticString, _ value: String) {
    begin(name)
    string(value)
  }

  mutating func add(_ name: StaticString, _ value: some FixedWidthInteger) {
    begin(name)
    text += "\(value)"
  }

  mutating func add(_ name: StaticString, _ value: MillisecondText) {
    begin(name)
    text += "\(value)"
  }

  mutating func add(_ name: StaticString, _ value: Bool) {
    begin(name)
    text += value ? "true" : "false"
  }

  mutating func add(_ name: StaticString, _ object: EventLine) {
    begin(name)
    text += object.text
    text += "}"
  }

  /// With its newline.
  var line: String { text + "}\n" }

  private mutating func begin(_ name: StaticString) {
    if text.utf8.count > 1 { text += "," }
    text += "\"\(name)\":"
  }

  private mutating func string(_ value: String) {
    text += "\""
    for scalar in value.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case _ where scalar.value < 0x20:
        let digits = String(scalar.value, radix: 16)
        text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: text.unicodeScalars.append(scalar)
      }
    }
    text += "\""
  }
}
