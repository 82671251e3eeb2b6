import HTTP1
import HTTP1Harness
import HTTPCore

extension FuzzTarget {
  /// Response heads. Choices: the request's method and limits, where to cut.
  package static let responseHead = FuzzTarget(name: "response-head", bytesMax: 1024) { bytes in
    var input = FuzzInput(bytes)
    let options = input.choice()
    let cut = Int(input.choice())
    let methods: [RequestMethod] = [.get, .head, .connect, .options]
    let method = methods[Int(options & 3)]
    var parser = HeadParser(responseTo: method)
    if options.bit(2) { parser.limits = HTTP1Limits(headBytesMax: 90, fieldCountMax: 4) }
    parser.keepUpgrade = options.bit(3)
    let outcome = try checkHead(input.rest(), parser, cut: cut)
    guard let response = outcome.response else { return }
    try checkHeadFields(response.fields, framing: response.framing)
    try require((100...999).contains(response.status), "status of \(response)")
    try requireEqual(response.fields.first, ":status: \(response.status)", "status field")
    let status = response.status
    // RFC 9112 section 6.3, rules 1 and 2.
    if status != 101, method == .head || status == 204 || status == 304 || status < 200 {
      let isTunnel = method == .connect && status == 204
      try requireEqual(
        response.framing, isTunnel ? .untilClose : BodyFraming.none, "content of \(response)")
    }
    if response.framing == .untilClose {
      try require(!response.keepAlive, "kept alive without an end: \(response)")
    }
    try require(!response.isTunnel || response.framing == .untilClose, "tunnel: \(response)")
  }
}
