import Format
import struct Foundation.Data
import class Foundation.JSONSerialization
import HTTP1Harness
import Primitives

extension FuzzTarget {
  /// JSON log lines: what is written is one line of JSON with the members that were asked for.
  /// Choices: options, capacity; a line of names and texts separated by tabs; then header lines.
  package static let jsonFormat = FuzzTarget(name: "json-format", bytesMax: 512) { bytes in
    var input = FuzzInput(bytes)
    let options = input.choice()
    let capacity = Int(input.choice())
    let line = input.line() ?? []
    let fixture = FormatFixture(&input)
    let parts = line.split(separator: 9, omittingEmptySubsequences: false)
      .map { part in String(decoding: part.map { $0 == 12 ? 10 : $0 }, as: UTF8.self) }
    let shape = shape(parts, nests: options.bit(1))
    let formatter: Formatter
    do throws(FormatError) {
      formatter = try Formatter(
        json: shape, omitEmptyValues: options.bit(0), environment: FormatFixture.environment)
    } catch {
      try require(parts.contains { (try? checkFormatError(error, $0)) != nil }, "\(error)")
      return
    }
    let whole = try checkSinks(formatter, fixture, capacity)
    try requireEqual(whole.last, 10, "the last byte")
    try require(
      !whole.dropLast().contains { $0 < 0x20 || $0 == 0x7F },
      "a control character in \(String(decoding: whole, as: UTF8.self))")
    try require(
      String(validating: whole, as: UTF8.self) != nil,
      "not UTF-8: \(String(decoding: whole, as: UTF8.self))")
    let object: [String: Any]?
    do {
      object =
        try JSONSerialization.jsonObject(with: Data(whole)) as? [String: Any]
    } catch {
      throw Violation(description: "\(String(decoding: whole, as: UTF8.self)): \(error)")
    }
    if !options.bit(0) {
      try requireEqual(Set(object?.keys.map { $0 } ?? []), Set(shape.keys), "members")
    }
  }

  /// Members `0`, `1`... and one named by the first text, alternately plain and nested.
  private static func shape(_ parts: [String], nests: Bool) -> [String: FormatJSON] {
    var shape: [String: FormatJSON] = [:]
    for (index, part) in parts.enumerated() {
      switch nests ? index % 4 : 0 {
      case 1: shape["\(index)"] = .object(["a": .text(part), "b": .number(1.5)])
      case 2: shape["\(index)"] = .list([.text(part), .null, .bool(true), .text("%REQ(a)%")])
      case 3: shape[part] = .text("x%REQ(a)%")
      default: shape["\(index)"] = .text(part)
      }
    }
    return shape
  }
}
