import ConfigSchema

/// Pages about the process as a whole.
extension AdminEndpoints {
  var informationEndpoints: [AdminEndpoint] {
    [
      AdminEndpoint(path: "/", help: "Admin home page") { [unowned self] _ in
        .html(AdminHelp.page(all, version: delegate.version, state: delegate.state))
      },
      AdminEndpoint(path: "/help", help: "print out list of admin commands") { [unowned self] _ in
        .text(AdminHelp.text(all))
      },
      AdminEndpoint(
        path: "/ready", help: "print server state, return 200 if LIVE, otherwise return 503"
      ) { [unowned self] _ in
        let state = delegate.state
        return .text(state.rawValue + "\n", status: state == .live ? 200 : 503)
      },
      AdminEndpoint(path: "/server_info", help: "print server version/status information") {
        [unowned self] _ in .json(serverInfo)
      },
      AdminEndpoint(path: "/memory", help: "print current allocation/heap usage") { _ in
        .json(MemoryUsage.current.json)
      },
      AdminEndpoint(path: "/runtime", help: "print runtime values") { _ in
        // There are no runtime layers.
        .json(.object([.init("entries", .object([])), .init("layers", .array([]))]))
      },
      AdminEndpoint(
        path: "/hot_restart_version", help: "print the hot restart compatibility version"
      ) { _ in .text("disabled") },
      AdminEndpoint(
        path: "/config_dump", help: "dump current configuration",
        parameters: [
          .init("resource", "The repeated field to dump, for example static_clusters"),
          .init(
            "mask",
            "Comma separated paths of fields to print; with resource, of each element of that field"),
          .init("name_regex", "Only resources whose names match (Google re2)"),
        ]
      ) { [unowned self] request in ConfigDump.answer(request, delegate.configuration) },
    ]
  }

  /// `envoy.admin.v3.ServerInfo`.
  private var serverInfo: JSONValue {
    let options = delegate.commandLineOptions.map { option in
      let value: JSONValue =
        switch option.value {
        case .text(let text): .string(text)
        case .number(let number): .number(number)
        case .flag(let flag): .bool(flag)
        }
      return JSONValue.Field(option.name, value)
    }
    let uptime = JSONValue.string("\(delegate.uptimeSeconds)s")
    var node: [JSONValue.Field] = []
    if let configuration = delegate.configuration,
      case .object(let fields) = MessageJSON.tree(configuration.bootstrap.node)
    {
      node = fields
    }
    node.append(.init("user_agent_name", .string("apus")))
    return .object([
      .init("version", .string(delegate.version)),
      .init("state", .string(delegate.state.rawValue)),
      .init("uptime_current_epoch", uptime),
      .init("uptime_all_epochs", uptime),
      .init("hot_restart_version", .string("disabled")),
      .init("command_line_options", .object(options)),
      .init("node", .object(node)),
    ])
  }
}
