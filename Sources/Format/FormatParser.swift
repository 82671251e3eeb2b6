import HTTPCore
import Primitives

/// Splits a format text into literals and operators and resolves each operator.
struct FormatParser {
  let memory: ConfigurationMemory
  let environment: FormatEnvironment

  func parse(_ text: String) throws(FormatError) -> [FormatOperation] {
    let bytes = Array(text.utf8)
    var operations: [FormatOperation] = []
    var literal: [UInt8] = []
    func flush() {
      guard !literal.isEmpty else { return }
      var operation = FormatOperation(.literal)
      operation.text = memory.store(bytes: literal)
      operations.append(operation)
      literal = []
    }
    var at = 0
    while at < bytes.count {
      guard bytes[at] == UInt8(ascii: "%") else {
        literal.append(bytes[at])
        at += 1
        continue
      }
      if at + 1 < bytes.count, bytes[at + 1] == UInt8(ascii: "%") {
        literal.append(UInt8(ascii: "%"))
        at += 2
        continue
      }
      let command = try command(in: bytes, at: at)
      at = command.end
      let operation = try OperatorTable.resolve(command, memory: memory, environment: environment)
      if operation.kind == .literal, !operation.flag {
        literal += operation.text.array
      } else {
        flush()
        operations.append(operation)
      }
    }
    flush()
    return operations
  }

  /// Reads `%NAME%`, `%NAME(parameters)%` or `%NAME(parameters):length%` at a percent sign.
  private func command(in bytes: [UInt8], at start: Int) throws(FormatError) -> FormatCommand {
    func isName(_ byte: UInt8) -> Bool {
      (65...90).contains(byte) || (48...57).contains(byte) || byte == 95
    }
    var at = start + 1
    while at < bytes.count, isName(bytes[at]) { at += 1 }
    let name = String(decoding: bytes[(start + 1)..<at], as: UTF8.self)
    guard !name.isEmpty else {
      throw FormatError(
        command: "", offset: start,
        message: "a percent sign must begin an operator in capitals or be doubled")
    }
    var command = FormatCommand(name: name, offset: start)
    if at < bytes.count, bytes[at] == UInt8(ascii: "(") {
      // The parameters may hold anything, percent signs too: they end at the first `)` that is
      // followed by the end of the operator.
      var close = at + 1
      while close < bytes.count {
        if bytes[close] == UInt8(ascii: ")"), let end = Self.end(bytes, close + 1) {
          command.parameters = String(decoding: bytes[(at + 1)..<close], as: UTF8.self)
          return try finish(command, bytes, close + 1, end)
        }
        close += 1
      }
      throw FormatError(
        command: name, offset: start, message: "the closing \")%\" or \"):length%\" is missing")
    }
    guard let end = Self.end(bytes, at) else {
      throw FormatError(
        command: name, offset: start, message: "the closing percent sign is missing")
    }
    return try finish(command, bytes, at, end)
  }

  /// The offset of the closing percent sign when `:digits%` or `%` stands at `at`.
  private static func end(_ bytes: [UInt8], _ at: Int) -> Int? {
    guard at < bytes.count else { return nil }
    if bytes[at] == UInt8(ascii: "%") { return at }
    guard bytes[at] == UInt8(ascii: ":") else { return nil }
    var digit = at + 1
    while digit < bytes.count, ASCII.isDigit(bytes[digit]) { digit += 1 }
    return digit > at + 1 && digit < bytes.count && bytes[digit] == UInt8(ascii: "%") ? digit : nil
  }

  private func finish(
    _ command: FormatCommand, _ bytes: [UInt8], _ at: Int, _ end: Int
  ) throws(FormatError) -> FormatCommand {
    var command = command
    if end > at {
      guard let length = Int(String(decoding: bytes[(at + 1)..<end], as: UTF8.self)) else {
        throw FormatError(
          command: command.name, offset: command.offset, message: "the length is too large")
      }
      command.length = length
    }
    command.end = end + 1
    return command
  }
}

/// One operator as written.
struct FormatCommand {
  let name: String
  let offset: Int
  var parameters: String?
  var length: Int?
  /// Offset behind the closing percent sign.
  var end = 0

  func error(_ message: String, suggestion: String? = nil) -> FormatError {
    FormatError(command: name, offset: offset, message: message, suggestion: suggestion)
  }
}
