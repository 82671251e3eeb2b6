/// What operators make the process do. All of it needs POST.
extension AdminEndpoints {
  var changeEndpoints: [AdminEndpoint] {
    [
      change("/healthcheck/fail", "cause the server to fail health checks") {
        $0.setFailsHealthChecks(true)
      },
      change("/healthcheck/ok", "cause the server to pass health checks") {
        $0.setFailsHealthChecks(false)
      },
      change("/quitquitquit", "exit the server") { $0.quit() },
      change("/reopen_logs", "reopen access logs") { $0.reopenLogs() },
      change("/reset_counters", "reset all counters to zero") { $0.resetCounters() },
      AdminEndpoint(
        path: "/reload", help: "load the configuration again", changesState: true
      ) { [unowned self] _ in
        switch delegate.reload() {
        case .applied: .text("OK: the new configuration is in use\n")
        case .unchanged: .text("OK: nothing has changed\n")
        case .refused(let text): .badRequest(text.hasSuffix("\n") ? text : text + "\n")
        }
      },
      AdminEndpoint(
        path: "/drain_listeners", help: "drain listeners", changesState: true,
        parameters: [
          .init("graceful", "Ask connections to end for the drain time before listeners close"),
          .init("skip_exit", "Ask connections to end, but never close the listeners"),
          .init(
            "inboundonly", "Drain only listeners whose traffic_direction is INBOUND"),
        ]
      ) { [unowned self] request in
        var options = AdminDrainOptions()
        options.isGraceful = request.has("graceful")
        options.skipsExit = request.has("skip_exit")
        options.isInboundOnly = request.has("inboundonly")
        delegate.drainListeners(options)
        return .ok
      },
      AdminEndpoint(
        path: "/logging", help: "query/change logging levels", changesState: true,
        parameters: [
          .init(
            "paths", "Change several loggers: <logger1>:<level1>,<logger2>:<level2>"),
          .init(
            "level", "desired logging level, this will change all loggers's level",
            ProcessLog.Level.allCases.map(\.name)),
        ]
      ) { [unowned self] in AdminLogging.answer($0, delegate.logLevels) },
    ]
  }

  private func change(
    _ path: String, _ help: String, _ run: @escaping (any AdminDelegate) -> Void
  ) -> AdminEndpoint {
    AdminEndpoint(path: path, help: help, changesState: true) { [unowned self] _ in
      run(delegate)
      return .ok
    }
  }
}

/// `/logging`: one parameter at most, and the list of levels that results.
enum AdminLogging {
  static func answer(_ request: AdminRequest, _ levels: any AdminLogLevels) -> AdminResponse {
    if let fault = apply(request.parameters, levels) {
      return .badRequest("error: \(fault)\n\n\(usage)\(list(levels))\n")
    }
    return .text(list(levels) + "\n")
  }

  /// Changes nothing, and says why, when something is wrong.
  private static func apply(
    _ parameters: [(name: String, value: String)], _ levels: any AdminLogLevels
  ) -> String? {
    guard let (name, value) = parameters.first else { return nil }
    guard parameters.count == 1 else { return "invalid number of parameters" }
    var wanted: [(logger: String, level: ProcessLog.Level)] = []
    switch name {
    case "level":
      guard let level = ProcessLog.Level(named: value) else { return "unknown logger level" }
      levels.setAll(level)
      return nil
    case "paths":
      for part in value.split(separator: ",") {
        let sides = part.split(separator: ":", omittingEmptySubsequences: false)
        guard sides.count == 2 else { return "unknown logger level" }
        guard let level = ProcessLog.Level(named: String(sides[1])) else {
          return "unknown logger level"
        }
        wanted.append((String(sides[0]), level))
      }
      guard !wanted.isEmpty else { return "empty path" }
    default:
      guard let level = ProcessLog.Level(named: value) else { return "unknown logger level" }
      wanted = [(name, level)]
    }
    let known = Set(levels.loggers.map(\.name))
    guard wanted.allSatisfy({ known.contains($0.logger) }) else { return "unknown logger name" }
    for (logger, level) in wanted { _ = levels.set(logger, to: level) }
    return nil
  }

  private static let usage = """
    usage: /logging?<name>=<level> (change single level)
    usage: /logging?paths=name1:level1,name2:level2,... (change multiple levels)
    usage: /logging?level=<level> (change all levels)
    levels: \(ProcessLog.Level.allCases.map(\.name).joined(separator: " "))\u{20}

    """

  private static func list(_ levels: any AdminLogLevels) -> String {
    "active loggers:\n" + levels.loggers.map { "  \($0.name): \($0.level.name)\n" }.joined()
  }
}
