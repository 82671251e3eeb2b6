/// A planned request as bytes.
enum RequestText {
  /// - Parameter version: `1.1` or `1.0`.
  static func head(_ plan: ExchangePlan) -> [UInt8] {
    if case .malformed(let bytes, _) = plan.target { return bytes }
    let host = plan.method == "CONNECT" ? plan.path : "sim"
    var text = "\(plan.method) \(plan.path) HTTP/1.1\r\nhost: \(host)\r\nx-id: \(plan.id)\r\n"
    if let type = plan.tunnel?.upgradeType { text += "connection: upgrade\r\nupgrade: \(type)\r\n" }
    for (name, value) in plan.headers + wishes(plan) { text += "\(name): \(value)\r\n" }
    switch plan.body.framing {
    case .none, .untilClose: break
    case .length: text += "content-length: \(plan.body.count)\r\n"
    case .chunked: text += "transfer-encoding: chunked\r\n"
    }
    if plan.expectsContinue { text += "expect: 100-continue\r\n" }
    if plan.closes { text += "connection: close\r\n" }
    return Array((text + "\r\n").utf8)
  }

  /// Headers that are for the proxy alone.
  static func wishes(_ plan: ExchangePlan) -> Fields { plan.hedgeWish.map { [(hedgeWish, "\($0)")] } ?? [] }

  static let hedgeWish = "x-envoy-hedge-on-per-try-timeout"

  static func body(_ plan: ExchangePlan) -> [UInt8] {
    if plan.isMalformed { return [] }
    return bytes(plan.body, key: plan.requestKey)
  }

  static func bytes(_ body: BodyPlan, key: UInt64) -> [UInt8] {
    let content = Pattern.bytes(key, count: body.count)
    guard body.framing == .chunked else { return body.framing == .none ? [] : content }
    var result: [UInt8] = []
    var at = 0
    while at < content.count {
      let part = min(body.chunkMax, content.count - at)
      result += Array("\(String(part, radix: 16))\r\n".utf8) + content[at..<at + part] + [13, 10]
      at += part
    }
    result += Array("0\r\n".utf8)
    for (name, value) in trailers(body, key: key) ?? [] { result += Array("\(name): \(value)\r\n".utf8) }
    return result + [13, 10]
  }

  /// Nil when there are none.
  static func trailers(_ body: BodyPlan, key: UInt64) -> Fields? {
    guard body.framing == .chunked, body.trailers > 0 else { return nil }
    return (0..<body.trailers).map { (name: "x-trailer-\($0)", value: "\(key)-\($0)") }
  }

  static func trailersMatch(
    _ found: Fields, _ body: BodyPlan, key: UInt64
  ) -> Bool {
    let wanted = trailers(body, key: key) ?? []
    return found.count == wanted.count && zip(found, wanted).allSatisfy { $0 == $1 }
  }
}
