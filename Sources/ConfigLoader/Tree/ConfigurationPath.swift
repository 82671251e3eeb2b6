/// Where in the configuration a value stands: `a.b[0]["key"].c`.
struct ConfigurationPath {
  enum Component: Equatable {
    case field(String)
    case index(Int)
    case key(String)
  }

  var components: [Component] = []

  var text: String {
    var text = ""
    for component in components {
      switch component {
      case .field(let name): text += text.isEmpty ? name : ".\(name)"
      case .index(let index): text += "[\(index)]"
      case .key(let key): text += "[\(quoted(key))]"
      }
    }
    return text
  }

  /// Reads what `text` writes; nil when it is no path.
  init?(parsing text: String) {
    var rest = Substring(text)
    while let first = rest.first {
      if first == "[" {
        rest = rest.dropFirst()
        if rest.first == "\"" {
          guard let end = rest.firstRange(of: "\"]") else { return nil }
          components.append(.key(String(rest[rest.index(after: rest.startIndex)..<end.lowerBound])))
          rest = rest[end.upperBound...]
        } else {
          guard let end = rest.firstIndex(of: "]"), let index = Int(rest[..<end]) else {
            return nil
          }
          components.append(.index(index))
          rest = rest[rest.index(after: end)...]
        }
      } else {
        if first == "." { rest = rest.dropFirst() }
        let name = rest.prefix { $0 != "." && $0 != "[" }
        guard !name.isEmpty else { return nil }
        components.append(.field(String(name)))
        rest = rest[name.endIndex...]
      }
    }
  }

  init() {}
}
