import LoadBase

/// All kinds of requests of a plan, for each version of HTTP that its connections may speak.
struct RequestLayouts: Sendable {
  private(set) var http1: [RequestLayout] = []
  /// Empty when no connection can speak it.
  private(set) var http2: [HTTP2RequestLayout] = []
  private(set) var weights: [Double] = [1]

  /// - Throws: One sentence about what cannot be sent.
  init(_ plan: LoadPlan) throws(UsageError) {
    let requests: [RequestPlan]
    switch plan.traffic {
    case .http(_, let plans), .grpc(let plans): requests = plans
    case .tcpEcho: return
    }
    weights = requests.map(\.weight)
    for request in requests {
      let layout = try RequestLayout(request, closes: plan.newConnectionPerRequest)
      http1.append(layout)
      if plan.version == .http1 { continue }
      http2.append(
        try HTTP2RequestLayout(
          request, checked: layout, scheme: plan.tls == nil ? "http" : "https", isGRPC: plan.isGRPC))
    }
  }
}
