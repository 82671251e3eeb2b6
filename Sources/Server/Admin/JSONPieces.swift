/// A JSON document that is printed step by step, in the form of ``JSONValue/print(into:level:)``.
final class JSONPieces: AdminPieces {
  enum Step {
    /// The name is nil inside an array and at the top.
    case beginObject(String?)
    case beginArray(String?)
    case end
    case field(String, () -> JSONValue)
    /// An array whose elements are made when their turn comes; without elements it is left out.
    case list(String, count: Int, (Int) -> [JSONValue])
  }

  private struct Open {
    let isObject: Bool
    var isEmpty = true
  }

  private let steps: [Step]
  private var step = 0
  /// Position in the list that is being printed.
  private var element = 0
  private var hasOpenList = false
  private var open: [Open] = []

  init(_ steps: [Step]) { self.steps = steps }

  override func next(into output: inout [UInt8]) -> Bool {
    guard step < steps.count else { return false }
    switch steps[step] {
    case .beginObject(let name): begin(name, isObject: true, into: &output)
    case .beginArray(let name): begin(name, isObject: false, into: &output)
    case .end: end(into: &output)
    case .field(let name, let make):
      place(name, into: &output)
      make().print(into: &output, level: open.count)
    case .list(let name, let count, let make):
      if element < count {
        for value in make(element) { printElement(value, of: name, into: &output) }
        element += 1
      }
      if element < count { return true }
      if hasOpenList { end(into: &output) }
      hasOpenList = false
      element = 0
    }
    step += 1
    if step == steps.count { output.append(UInt8(ascii: "\n")) }
    return step < steps.count
  }

  private func printElement(_ value: JSONValue, of list: String, into output: inout [UInt8]) {
    if !hasOpenList {
      begin(list, isObject: false, into: &output)
      hasOpenList = true
    }
    place(nil, into: &output)
    value.print(into: &output, level: open.count)
  }

  private func begin(_ name: String?, isObject: Bool, into output: inout [UInt8]) {
    if !open.isEmpty { place(name, into: &output) }
    output.append(isObject ? UInt8(ascii: "{") : UInt8(ascii: "["))
    open.append(Open(isObject: isObject))
  }

  private func end(into output: inout [UInt8]) {
    guard let last = open.popLast() else { return }
    if !last.isEmpty { JSONValue.newLine(open.count, into: &output) }
    output.append(last.isObject ? UInt8(ascii: "}") : UInt8(ascii: "]"))
  }

  /// Comma, new line and name before a value.
  private func place(_ name: String?, into output: inout [UInt8]) {
    guard !open.isEmpty else { return }
    if !open[open.count - 1].isEmpty { output.append(UInt8(ascii: ",")) }
    open[open.count - 1].isEmpty = false
    JSONValue.newLine(open.count, into: &output)
    guard let name else { return }
    JSONValue.print(name, into: &output)
    output += ": ".utf8
  }
}
