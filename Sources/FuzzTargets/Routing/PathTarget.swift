import HTTP1Harness
import HTTPHarness
import Primitives
import Routing

extension FuzzTarget {
  /// Path and host normalisation. Choices: options, port; then host and path in lines.
  package static let path = FuzzTarget(name: "path", bytesMax: 512) { bytes in
    var input = FuzzInput(bytes)
    let choices = input.choice()
    let hostChoices = input.choice()
    let options = PathNormalization(
      normalizesPath: choices.bit(0), mergesSlashes: choices.bit(1),
      escapedSlashes: EscapedSlashesAction(rawValue: choices >> 2 & 3) ?? .keepUnchanged)
    let host = input.line() ?? []
    let target = input.rest()
    try checkHost(host, hostChoices)
    try NormalizedPath(options: options).check(target)
  }

  private static func checkHost(_ host: [UInt8], _ choices: UInt8) throws(Violation) {
    let options = HostNormalization(
      port: HostNormalization.PortStripping(rawValue: choices & 3) ?? .none,
      stripsTrailingDot: choices.bit(2))
    let result = withExactCopy(host) { view in
      withArena { options.apply(view, localPort: 8080, arena: &$0.pointee).array }
    }
    try require(result.count <= host.count, "a longer host: \(result)")
    if options.isIdle { try requireEqual(result, host, "host") }
    // At most one dot and one port go.
    try require(host.starts(with: result.prefix { $0 != 46 && $0 != 58 }), "host: \(result)")
  }
}

private struct NormalizedPath {
  enum Result: Equatable {
    case path([UInt8])
    case redirect([UInt8])
    case reject
  }

  var options: PathNormalization

  func apply(_ target: [UInt8]) -> Result {
    withExactCopy(target) { view in
      withArena { arena in
        switch options.apply(view, arena: &arena.pointee) {
        case .path(let view): .path(view.array)
        case .redirect(let view): .redirect(view.array)
        case .reject: .reject
        }
      }
    }
  }

  func check(_ target: [UInt8]) throws(Violation) {
    let result = apply(target)
    let shown = String(decoding: target, as: UTF8.self)
    switch result {
    case .reject:
      try require(
        options.normalizesPath || options.escapedSlashes == .rejectRequest, "refuses \(shown)")
    case .redirect(let location):
      try requireEqual(options.escapedSlashes, .unescapeAndRedirect, "redirects \(shown)")
      try checkForm(location, from: target)
    case .path(let path):
      if options.isIdle { try requireEqual(path, target, "an idle normalisation") }
      try checkForm(path, from: target)
      try checkSettles(path)
    }
  }

  private func checkForm(_ path: [UInt8], from target: [UInt8]) throws(Violation) {
    let shown = String(decoding: path, as: UTF8.self)
    let mark = UInt8(ascii: "?")
    try requireEqual(
      path.firstIndex(of: mark).map { Array(path[$0...]) },
      target.firstIndex(of: mark).map { Array(target[$0...]) }, "query of \(shown)")
    let bare = path.prefix { $0 != mark }
    if options.mergesSlashes, bare != [47, 47] {
      try require(!zip(bare, bare.dropFirst()).contains { $0 == 47 && $1 == 47 }, "// in \(shown)")
    }
    guard options.normalizesPath else { return }
    try requireEqual(bare.first, 47, "the first byte of \(shown)")
    try require(
      !bare.contains { $0 <= 0x20 || $0 >= 0x7F || "\"<>^`{|}\\#".utf8.contains($0) },
      "a byte that has no place in a path: \(shown)")
    for segment in bare.split(separator: 47) {
      try require(segment != [46] && segment != [46, 46], "a dot segment in \(shown)")
    }
  }

  /// An escaped dot may meet a parameter, a percent sign new digits, and a merged path may have new
  /// neighbours: the second round may change something still, but not for ever.
  private func checkSettles(_ path: [UInt8]) throws(Violation) {
    var last = path
    for _ in 0..<(path.count + 2) {
      guard case .path(let next) = apply(last) else { return }
      if next == last { return }
      try require(next.count <= last.count, "grows: \(String(decoding: next, as: UTF8.self))")
      last = next
    }
    throw Violation(description: "never settles: \(String(decoding: path, as: UTF8.self))")
  }
}
