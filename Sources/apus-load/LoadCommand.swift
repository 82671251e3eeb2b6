import CSystem
import LoadBase
import LoadGenerator
import LoadReport

/// `apus-load URL`: runs a plan, shows progress, reports.
struct LoadCommand {
  private let plan: LoadPlan
  private let reports: ReportFlags

  init(_ plan: LoadPlan, _ reports: ReportFlags) throws(UsageError) {
    self.plan = plan
    self.reports = reports
    // Beside the connections: standard streams, rings, what a lookup needs.
    let openFilesMax = csystem_raise_open_files()
    guard plan.connections + 8 + 2 * plan.threads <= openFilesMax else {
      throw UsageError(
        "--connections \(plan.connections): more than the \(openFilesMax) open files allowed (see ulimit -Hn)")
    }
    try Files.checkWritable(reports.json, option: "--json")
    try Files.checkWritable(reports.csv, option: "--csv")
    try Files.checkWritable(reports.hdr, option: "--hdr")
    try Files.checkWritable(reports.html, option: "--html")
  }

  /// Returns the exit status.
  func run() throws -> Int32 {
    let run = try LoadRun(plan)
    let signals = Signals()
    var display = ProgressDisplay(plan, isQuiet: reports.quiet)
    var signalCount = 0
    let outcome = run.run(
      pause: { milliseconds in
        if signals.wait(milliseconds: milliseconds) { signalCount += 1 }
        return signalCount > 0
      },
      progress: { display.show($0) })
    display.end()
    switch outcome {
    case .failed(let reason):
      Console.complain(reason)
      return 1
    case .finished(var result, let notes):
      result.label = reports.label ?? ""
      result.command = CommandLine.arguments.joined(separator: " ")
      if signalCount > 0 { Console.complain("interrupted: this is what was done so far") }
      Console.write(TextReport(result, style: Console.style).text)
      for (kind, note) in notes { Console.complain("first \(kind.name): \(note)") }
      try write(result)
      return result.tally.errors.total > 0 || result.tally.responses == 0 ? 1 : 0
    }
  }

  private func write(_ result: RunResult) throws {
    if let path = reports.json {
      try Files.write(try JSONReport.text(result), to: path, option: "--json")
    }
    if let path = reports.csv {
      try Files.write(CSVReport.text([result]), to: path, option: "--csv")
    }
    if let path = reports.hdr {
      try Files.write(HDRReport.text(result.latency), to: path, option: "--hdr")
    }
    if let path = reports.html {
      try Files.write(HTMLReport.page([result]), to: path, option: "--html")
    }
  }
}
