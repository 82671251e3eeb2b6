import HTTP1
import HTTP1Harness
import HTTPCore
import HTTPHarness
import Primitives

extension FuzzTarget {
  /// Request heads. Choices: options, where to cut.
  package static let requestHead = FuzzTarget(name: "request-head", bytesMax: 1024) { bytes in
    var input = FuzzInput(bytes)
    let options = input.choice()
    let cut = Int(input.choice())
    var parser = HeadParser()
    parser.options = HTTP1RequestOptions(
      allowAbsoluteURL: !options.bit(0), acceptHTTP10: !options.bit(1),
      allowChunkedLength: options.bit(2),
      underscores: options.bit(3) ? (options.bit(4) ? .drop : .reject) : .allow)
    if options.bit(5) { parser.limits = HTTP1Limits(headBytesMax: 90, fieldCountMax: 4) }
    parser.keepUpgrade = options.bit(4)
    let message = input.rest()
    let outcome = try checkHead(message, parser, cut: cut)
    guard let request = outcome.request else { return }
    try checkHeadFields(request.fields, framing: request.framing)
    try require(request.fields.first?.hasPrefix(":method: ") == true, "no method: \(request)")
    let names = request.fields.map { $0.prefix { $0 != ":" } }
    try require(!names.contains("host"), "Host beside :authority: \(request)")
    if options.bit(3) {
      try require(!names.contains { $0.contains("_") }, "an underscore: \(request)")
    }
    try require(!request.isHTTP10 || !options.bit(1), "HTTP/1.0 is off: \(request)")
    try require(request.framing != .untilClose, "a request without an end: \(request)")
  }
}

/// What holds for every head: how it is cut does not matter, nor what comes behind it.
func checkHead(_ message: [UInt8], _ parser: HeadParser, cut: Int) throws(Violation) -> Outcome {
  let whole = parser.parse(message)
  guard !message.isEmpty else {
    try requireEqual(whole, .needMore, "an empty head")
    return whole
  }
  let at = cut % (message.count + 1)
  try requireEqual(parser.parse(message, ends: [at, message.count]), whole, "cut at \(at)")
  try requireEqual(parser.parse(message, ends: 1...message.count), whole, "byte by byte")
  let limit = Int(parser.limits.headBytesMax)
  switch whole {
  case .needMore:
    try require(message.count < limit, "waits beyond the limit")
  case .failed:
    try requireEqual(parser.parse(message + [13]), whole, "a failure with more behind it")
  case .request, .response:
    let length = whole.request?.length ?? whole.response?.length ?? 0
    try require(length > 0 && length <= message.count, "takes \(length) of \(message.count)")
    try require(length <= limit, "takes \(length), the limit is \(limit)")
    try requireEqual(parser.parse(message[..<length]), whole, "with nothing behind it")
    try requireEqual(parser.parse(message[..<(length - 1)]), .needMore, "one byte less")
    let fields = whole.request?.fields ?? whole.response?.fields ?? []
    // At most four pseudo-headers take the place of Host and start line.
    try require(fields.count <= Int(parser.limits.fieldCountMax) + 4, "\(fields.count) fields")
  }
  return whole
}

/// What holds for the fields of every head that goes on to the next hop.
func checkHeadFields(_ fields: [String], framing: BodyFraming) throws(Violation) {
  var lengths: [String] = []
  for field in fields {
    let start = field.hasPrefix(":") ? 1 : 0
    let text = Array(field.utf8)
    guard let colon = text[start...].firstIndex(of: UInt8(ascii: ":")) else {
      throw Violation(description: "no field: \(field)")
    }
    let name = Array(text[start..<colon])
    let value = Array(text[(colon + 2)...])
    let nameIsValid = withExactCopy(name) { MessageRules.isValidName($0) }
    try require(nameIsValid, "bad name: \(field)")
    try require(!name.contains { ASCII.lowercase($0) != $0 }, "upper case: \(field)")
    let valueIsValid = withExactCopy(value) { MessageRules.isValidValue($0) }
    try require(valueIsValid, "bad value: \(field)")
    switch String(decoding: text[..<colon], as: UTF8.self) {
    case "connection", "keep-alive", "proxy-connection", "transfer-encoding":
      throw Violation(description: "a field of the connection: \(field)")
    case "content-length": lengths.append(String(decoding: value, as: UTF8.self))
    case "te": try requireEqual(String(decoding: value, as: UTF8.self), "trailers", "TE")
    default: break
    }
  }
  try require(lengths.count <= 1, "more than one length: \(fields)")
  switch framing {
  case .chunked: try require(lengths.isEmpty, "length and chunks: \(fields)")
  case .length(let length):
    try require(lengths.first.map { UInt64($0) == length } ?? false, "\(length): \(fields)")
  case .none, .untilClose: break
  }
}
