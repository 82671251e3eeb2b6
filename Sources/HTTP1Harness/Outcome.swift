import HTTP1
import HTTPCore
import Primitives


/// What came of a head, in a form that two runs can be compared by.
package enum Outcome: Equatable, CustomStringConvertible {
  case needMore
  case failed(HTTP1Error)
  case request(Request)
  case response(Response)

  package struct Request: Equatable {
    package var length: Int
    package var fields: [String]
    package var framing: BodyFraming
    package var keepAlive: Bool
    package var expectContinue: Bool
    package var isUpgrade: Bool
    package var isHTTP10: Bool
    package var form: RequestHead.TargetForm
  }

  package struct Response: Equatable {
    package var length: Int
    package var status: UInt16
    package var fields: [String]
    package var framing: BodyFraming
    package var keepAlive: Bool
    package var isTunnel: Bool
  }

  package var description: String {
    switch self {
    case .needMore: "needMore"
    case .failed(let error): "failed(\(error))"
    case .request(let request): "\(request)"
    case .response(let response): "\(response)"
    }
  }

  package var error: HTTP1Error? { if case .failed(let error) = self { error } else { nil } }
  package var request: Request? { if case .request(let request) = self { request } else { nil } }
  package var response: Response? { if case .response(let response) = self { response } else { nil } }
}
