extension RequestEvents {
  /// One line; bytes in hexadecimal, so that it cannot go wrong.
  package var json: String {
    let requests = requests.map { request in
      "{\"method\":\"\(hex(request.method))\",\"target\":\"\(hex(request.target))\","
        + "\"fields\":\(list(request.fields)),\"trailers\":\(list(request.trailers)),"
        + "\"body\":\"\(hex(request.body))\","
        + "\"end\":\(request.end.map { "\($0)" } ?? "null")}"
    }
    let ending =
      switch ending {
      case .idle: "idle"
      case .needMore: "need more"
      case .closed: "closed"
      case .failed(let error): "failed: \(error)"
      }
    return "{\"requests\":[\(requests.joined(separator: ","))],\"ending\":\"\(ending)\"}"
  }

  private func list(_ fields: [(name: [UInt8], value: [UInt8])]) -> String {
    let pairs = fields.map { "[\"\(hex($0.name))\",\"\(hex($0.value))\"]" }
    return "[\(pairs.joined(separator: ","))]"
  }

  private func hex(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(
      decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }
}
