/// Which way a request would take, step by step, and why not another.
public struct Explanation {
  /// Something of the configuration, and where it stands.
  struct Part {
    let text: String
    /// `edge.yaml:31`
    var place: String?
  }

  struct Rejection {
    let what: String
    let why: String
    var place: String?
  }

  /// A fact about the step; one line.
  struct Fact {
    let name: String
    let value: String
  }

  struct Step {
    let name: String
    var taken: Part?
    var rejected: [Rejection] = []
    var facts: [Fact] = []
    /// That a connection or a request passes here, in order.
    var filters: [Filter] = []

    mutating func add(_ name: String, _ value: String) { facts.append(Fact(name: name, value: value)) }
  }

  enum Outcome {
    /// A host takes it.
    case forwarded
    /// The proxy answers by itself, because it is told to.
    case answered(String)
    /// Nobody takes it: what the client gets, and why.
    case failed(String)
  }

  var request: ExplainedRequest
  var steps: [Step] = []
  var outcome = Outcome.forwarded
  /// Hosts are as configured: nothing was checked or ejected.
  var isFromFile = true

  /// Whether the request gets what the configuration means it to get.
  public var isServed: Bool {
    if case .failed = outcome { false } else { true }
  }
}
