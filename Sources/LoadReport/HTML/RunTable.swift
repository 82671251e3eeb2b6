/// What was run, and what to know before believing it.
struct RunTable {
  let runs: [(label: String, run: RunResult)]

  init(_ runs: [(label: String, run: RunResult)]) { self.runs = runs }

  var html: String {
    let rows = runs.enumerated().map { index, one in
      let run = one.run
      let cells = [
        "\(ComparisonTable.swatch(index))\(HTMLText.escaped(one.label))",
        HTMLText.escaped(run.target), HTMLText.escaped(RunDescription.mode(run.mode)),
        HTMLText.escaped(RunDescription.setting(run)),
        HTMLText.escaped(DurationText.date(unixSeconds: run.startUnixSeconds)),
      ]
      return "<tr>\(cells.map { "<td>\($0)</td>" }.joined())</tr>"
    }
    let heads = ["run", "target", "load", "setting", "started"].map { "<th>\($0)</th>" }
    return "<div class=\"scroll\"><table class=\"words\"><tr>\(heads.joined())</tr>\n"
      + rows.joined(separator: "\n") + "\n</table></div>\n" + commands + warnings
  }

  private var commands: String {
    runs.enumerated().filter { !$0.element.run.command.isEmpty }.map { index, one in
      "<p>\(ComparisonTable.swatch(index))<code>\(HTMLText.escaped(one.run.command))</code></p>\n"
    }.joined()
  }

  private var warnings: String {
    let items = runs.enumerated().flatMap { index, one in
      one.run.warnings.filter { $0.code != .fewSamples }.map { "<li>\(ComparisonTable.swatch(index))\(HTMLText.escaped($0.text))</li>" }
    }
    return items.isEmpty ? "" : "<ul class=\"warnings\">\n\(items.joined(separator: "\n"))</ul>\n"
  }
}
