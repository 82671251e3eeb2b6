/// One page of the admin listener.
struct AdminEndpoint {
  struct Parameter {
    let name: String
    let help: String
    /// What it may be; empty for free text and for switches.
    let choices: [String]

    init(_ name: String, _ help: String, _ choices: [String] = []) {
      self.name = name
      self.help = help
      self.choices = choices
    }
  }

  let path: String
  let help: String
  var changesState = false
  var parameters: [Parameter] = []
  let answer: (AdminRequest) -> AdminResponse
}

/// All pages, and which of them answers.
final class AdminEndpoints {
  unowned let delegate: any AdminDelegate
  private(set) var all: [AdminEndpoint] = []
  private var byPath: [String: AdminEndpoint] = [:]

  init(delegate: any AdminDelegate) {
    self.delegate = delegate
    all = (informationEndpoints + statsEndpoints + listEndpoints + explainEndpoints + certificateEndpoints + changeEndpoints)
      .sorted { $0.path < $1.path }
    byPath = Dictionary(uniqueKeysWithValues: all.map { ($0.path, $0) })
  }

  func answer(_ request: AdminRequest) -> AdminResponse {
    guard let endpoint = byPath[request.path] else {
      return .text("invalid path. " + AdminHelp.text(all), status: 404)
    }
    guard !endpoint.changesState || request.method == "POST" else {
      return .text("Method \(request.method) not allowed, POST required.", status: 405)
    }
    return endpoint.answer(request)
  }
}
