/// Errors by kind and answers by status, a column a run.
struct CountTables {
  let runs: [(label: String, run: RunResult)]

  init(_ runs: [(label: String, run: RunResult)]) { self.runs = runs }

  var errors: String {
    let kinds = ErrorKind.allCases.filter { kind in runs.contains { $0.run.tally.errors[kind] > 0 } }
    guard !kinds.isEmpty else { return "<p class=\"empty\">No request failed.</p>\n" }
    return table(
      kinds.map { kind in
        (
          "\(kind.name) <span class=\"soft\">\(HTMLText.escaped(kind.explanation))</span>",
          { $0.errors[kind] }
        )
      }, of: { $0.completed })
  }

  var statuses: String {
    let codes = Set(runs.flatMap { $0.run.tally.statuses.occurred.map(\.code) }).sorted()
    guard !codes.isEmpty else { return "<p class=\"empty\">No answer had a status.</p>\n" }
    return table(
      codes.map { code in (code == 0 ? "none" : "\(code)", { $0.statuses[code] }) },
      of: { $0.statuses.total })
  }

  /// Empty when there were no calls.
  var grpcStatuses: String {
    let codes = Set(runs.flatMap { $0.run.tally.grpcStatuses.occurred.map(\.code) }).sorted()
    guard !codes.isEmpty else { return "" }
    return table(
      codes.map { code in (GRPCStatusName.words(code), { $0.grpcStatuses[code] }) }, of: { $0.grpcStatuses.total })
  }

  private func table(
    _ rows: [(name: String, count: (Tally) -> UInt64)], of whole: (Tally) -> UInt64
  ) -> String {
    let heads = runs.enumerated().map { index, one in
      "<th>\(ComparisonTable.swatch(index))\(HTMLText.escaped(one.label))</th>"
    }
    let lines = rows.map { row in
      let cells = runs.map { one in
        let count = row.count(one.run.tally)
        let part = Double(count) / Double(max(1, whole(one.run.tally)))
        return count == 0
          ? "<td class=\"soft\">0</td>"
          : "<td>\(NumberText.grouped(count)) <span class=\"ratio\">\(HTMLText.escaped(NumberText.percent(part)))</span></td>"
      }
      return "<tr><td>\(row.name)</td>\(cells.joined())</tr>"
    }
    return "<div class=\"scroll\"><table><tr><th></th>\(heads.joined())</tr>\n"
      + lines.joined(separator: "\n") + "\n</table></div>\n"
  }
}
