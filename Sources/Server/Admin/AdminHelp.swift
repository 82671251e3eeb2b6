/// The list of pages, as text and as the home page.
enum AdminHelp {
  static func text(_ endpoints: [AdminEndpoint]) -> String {
    var text = "admin commands are:\n"
    for endpoint in endpoints {
      text += "  \(endpoint.path)\(endpoint.changesState ? " (POST)" : ""): \(endpoint.help)\n"
      for parameter in endpoint.parameters {
        text += "      \(parameter.name): \(parameter.help)"
        if !parameter.choices.isEmpty {
          text += "; One of (\(parameter.choices.joined(separator: ", ")))"
        }
        text += "\n"
      }
    }
    return text
  }

  /// Links for what can be looked at, buttons for what changes something.
  static func page(_ endpoints: [AdminEndpoint], version: String, state: AdminState) -> String {
    var rows = ""
    for endpoint in endpoints where endpoint.path != "/" {
      let path = escaped(endpoint.path)
      let control =
        endpoint.changesState
        ? "<form action=\"\(path.dropFirst())\" method=\"post\">"
          + "<button>\(path.dropFirst())</button></form>"
        : "<a href=\"\(path.dropFirst())\">\(path.dropFirst())</a>"
      rows += "<tr><td>\(control)</td><td>\(escaped(endpoint.help))\(notes(endpoint))</td></tr>\n"
    }
    return """
      <!DOCTYPE html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <title>apus admin</title>
      <style>
      body { font: 15px/1.4 sans-serif; margin: 2em; color: #222 }
      td { padding: .3em 1.2em .3em 0; vertical-align: top; border-top: 1px solid #ddd }
      form { margin: 0 }
      small { display: block; color: #666 }
      </style>
      </head>
      <body>
      <h1>apus admin</h1>
      <p>Version \(escaped(version)), \(state.rawValue)</p>
      <table>
      \(rows)</table>
      </body>
      </html>

      """
  }

  private static func notes(_ endpoint: AdminEndpoint) -> String {
    guard !endpoint.changesState else { return "" }
    return endpoint.parameters.map { parameter in
      let choices =
        parameter.choices.isEmpty ? "" : " (\(parameter.choices.joined(separator: ", ")))"
      return "<small>?\(escaped(parameter.name)): \(escaped(parameter.help + choices))</small>"
    }.joined()
  }

  static func escaped(_ text: String) -> String {
    var result = ""
    for character in text {
      switch character {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      default: result.append(character)
      }
    }
    return result
  }
}
