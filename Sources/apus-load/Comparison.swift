import LoadBase
import LoadReport

/// `apus-load --compare A.json B.json --html OUT.html`.
struct Comparison {
  private let files: [String]
  private let output: String

  init(_ reports: ReportFlags) throws(UsageError) {
    guard let output = reports.html else {
      throw UsageError("--compare needs --html OUT.html: where to write the page")
    }
    files = reports.compare
    self.output = output
  }

  func run() throws(UsageError) -> Int32 {
    var runs: [RunResult] = []
    for file in files {
      let bytes = try Files.read(file, option: "--compare")
      do throws(RunFileError) {
        runs.append(try RunResult(json: bytes))
      } catch {
        throw UsageError("--compare \(file): \(error)")
      }
    }
    try Files.write(HTMLReport.page(runs), to: output, option: "--html")
    return 0
  }
}
