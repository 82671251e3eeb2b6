import Primitives
import RegularExpressions
import Stats

/// `/stats` and `/stats/prometheus`.
extension AdminEndpoints {
  var statsEndpoints: [AdminEndpoint] {
    let usedOnly = AdminEndpoint.Parameter(
      "usedonly", "Only include stats that have been written by system since restart")
    let filter = AdminEndpoint.Parameter(
      "filter", "Regular expression (Google re2) for filtering stats")
    let invert = AdminEndpoint.Parameter("invert_filter", "Invert the filter regex")
    return [
      AdminEndpoint(
        path: "/stats", help: "print server stats",
        parameters: [
          usedOnly, filter, invert,
          .init("format", "Format to use", ["text", "json", "prometheus"]),
          .init(
            "type", "Stat types to include.",
            ["All", "Counters", "Histograms", "Gauges", "TextReadouts"]),
          .init(
            "histogram_buckets", "Histogram bucket display mode",
            ["cumulative", "disjoint", "detailed", "summary"]),
        ]
      ) { [unowned self] in stats($0, format: $0["format"] ?? "text") },
      AdminEndpoint(
        path: "/stats/prometheus", help: "print server stats in prometheus format",
        parameters: [
          usedOnly, filter, invert,
          .init("histogram_buckets", "Histogram bucket display mode", ["cumulative", "summary"]),
        ]
      ) { [unowned self] in stats($0, format: "prometheus") },
    ]
  }

  private func stats(_ request: AdminRequest, format: String) -> AdminResponse {
    var options = StatsPrinter.Options()
    let contentType: AdminResponse.ContentType
    switch format {
    case "text", "": contentType = .text
    case "json":
      options.format = .json
      contentType = .json
    case "prometheus":
      options.format = .prometheus
      contentType = .prometheus
    default: return .badRequest("usage: /stats?format=(json|prometheus|text)\n\n")
    }
    options.usedOnly = request.has("usedonly")
    switch request["type"] {
    case nil, "All": break
    case "Counters": options.kind = .counter
    case "Gauges": options.kind = .gauge
    case "Histograms": options.kind = .histogram
    case "TextReadouts": options.kind = .text
    default: return .badRequest("invalid &type= param")
    }
    switch request["histogram_buckets"] {
    case nil, "": break
    case "cumulative": options.histogramMode = .cumulative
    case "disjoint": options.histogramMode = .disjoint
    case "detailed": options.histogramMode = .detailed
    case "summary", "none": options.histogramMode = .summary
    default:
      return .badRequest(
        "usage: /stats?histogram_buckets=(cumulative|disjoint|detailed|summary)\n")
    }
    if let pattern = request["filter"], !pattern.isEmpty {
      do {
        let filter = try AdminFilter(pattern)
        let wanted = !request.has("invert_filter")
        options.filter = { filter.accepts($0) == wanted }
      } catch {
        return .badRequest("Invalid re2 regex: \(error.message)")
      }
    }
    delegate.updateGauges()
    return .pieces(
      StatsPieces(StatsPrinter(registry: delegate.registry, options: options)), contentType)
  }
}

/// Metrics, a few at a time.
private final class StatsPieces: AdminPieces {
  /// Bytes printed or metrics looked at in one piece.
  private static let pieceBudget = 512
  private var printer: StatsPrinter

  init(_ printer: StatsPrinter) { self.printer = printer }

  override func next(into output: inout [UInt8]) -> Bool {
    printer.next(into: &output, budgetBytes: Self.pieceBudget)
  }
}

/// A pattern from the query that may match anywhere in a name.
struct AdminFilter {
  private let regex: Regex
  /// A longer pattern is no one's by hand.
  private static let programSizeMax = 10_000

  init(_ pattern: String) throws(RegexError) {
    regex = try Regex(pattern, programSizeMax: Self.programSizeMax)
  }

  func accepts(_ name: String) -> Bool {
    var name = name
    return name.withUTF8 { bytes in
      regex.handle.matchesPart(
        bytes.baseAddress.map { ByteView($0, bytes.count) } ?? .empty)
    }
  }
}
