/// `/explain`.
extension AdminEndpoints {
  var explainEndpoints: [AdminEndpoint] {
    [
      AdminEndpoint(
        path: "/explain", help: "which way a request would take, and why not another",
        parameters: [
          .init("url", "http://HOST[:PORT]/PATH or https://..., percent-encoded"), .init("method", "GET unless given"),
          .init("header", "NAME: VALUE; may be given more than once"), .init("source", "Address of the client (127.0.0.1)"),
          .init("sni", "Name that the client asks for in its TLS handshake"), .init("listener", "Name of the listener"),
          .init("random", "The number that decides where the proxy would draw one"),
          .init("format", "File format to use", ["text", "json"]),
        ]
      ) { [unowned self] in explain($0) }
    ]
  }

  private func explain(_ request: AdminRequest) -> AdminResponse {
    guard let url = request["url"], !url.isEmpty else {
      return .badRequest("url is required: /explain?url=http://shop.example/cart\n")
    }
    do {
      let method = request["method"] ?? ""
      var wanted = try ExplainedRequest(method: method.isEmpty ? "GET" : method, url: url)
      for parameter in request.parameters where parameter.name == "header" { try wanted.addHeader(parameter.value) }
      if let source = request["source"] { try wanted.setSource(source) }
      wanted.serverName = request["sni"]
      wanted.listener = request["listener"]
      if let random = request["random"] {
        guard let number = UInt64(random) else { throw ExplainError("\"\(random)\" is not a number") }
        wanted.random = number
      }
      let explanation = delegate.explain(wanted)
      return request["format"] == "json" ? .json(explanation.json) : .text(explanation.text)
    } catch {
      return .badRequest("\(error)\n")
    }
  }
}
