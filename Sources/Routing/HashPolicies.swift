import Format
import HTTPCore
import Primitives
import RegularExpressions

/// Owns the memory of one route's ``HashPolicyList``.
public final class HashPolicies: @unchecked Sendable {
  // Sendable: everything is written in the initialiser and only read afterwards.
  private let owners: RouteTableCompiler.Owners
  /// Valid as long as this object.
  public let list: HashPolicyList

  /// - Throws: Everything that is wrong; paths begin with the index of the policy.
  public init(compiling specs: [HashPolicySpec]) throws(RoutingErrors) {
    var compiler = RouteTableCompiler(RouteTableSpec(), environment: .process)
    let compiled = compiler.hashPolicies(specs)
    if !compiler.errors.isEmpty { throw RoutingErrors(errors: compiler.errors) }
    owners = compiler.owners
    list = HashPolicyList(policies: owners.memory.store(compiled), count: compiled.count)
  }
}

extension RouteTableCompiler {
  fileprivate mutating func hashPolicies(_ specs: [HashPolicySpec]) -> [HashPolicy] {
    specs.enumerated().map { index, spec in
      let path = "[\(index)]"
      var policy = HashPolicy(kind: .sourceIP, isTerminal: spec.isTerminal)
      switch spec.source {
      case .header(let name, let rewrite):
        policy.kind = .header
        let bare = name.hasPrefix(":") ? String(name.dropFirst()) : name
        if !HeaderName.isToken(bare) { report("\(path).header.header_name", "\"\(name)\" is not a header name") }
        (policy.name, policy.known) = HeaderName.store(name, owners.memory)
        if let rewrite { policy.rewrite = regexRewrite(rewrite, "\(path).header.regex_rewrite") }
      case .cookie(let cookie):
        policy.kind = .cookie
        policy.name = owners.memory.store(cookie.name)
        if let seconds = cookie.ttlSeconds {
          policy.makesCookie = true
          policy.cookieTail = owners.memory.store(tail(cookie, seconds))
        }
        check(cookie, "\(path).cookie")
      case .sourceIP: policy.kind = .sourceIP
      case .queryParameter(let name):
        policy.kind = .queryParameter
        policy.name = owners.memory.store(name)
      }
      return policy
    }
  }

  private func tail(_ cookie: HashCookieSpec, _ seconds: UInt64) -> String {
    var text = "\""
    if seconds > 0 { text += "; Max-Age=\(seconds)" }
    if !cookie.path.isEmpty { text += "; Path=\(cookie.path)" }
    for attribute in cookie.attributes {
      text += attribute.value.isEmpty ? "; \(attribute.name)" : "; \(attribute.name)=\(attribute.value)"
    }
    return text + "; HttpOnly"
  }

  /// What would end the cookie, or the header, early (RFC 6265 section 4.1.1).
  private mutating func check(_ cookie: HashCookieSpec, _ path: String) {
    if !HeaderName.isToken(cookie.name) { report("\(path).name", "\"\(cookie.name)\" is not a cookie's name") }
    func isValue(_ text: String) -> Bool {
      text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F && $0 != UInt8(ascii: ";") }
    }
    if !isValue(cookie.path) { report("\(path).path", "must not hold \";\" or control characters") }
    for (i, attribute) in cookie.attributes.enumerated() {
      if !HeaderName.isToken(attribute.name) {
        report("\(path).attributes[\(i)].name", "\"\(attribute.name)\" is not an attribute's name")
      }
      if !isValue(attribute.value) {
        report("\(path).attributes[\(i)].value", "must not hold \";\" or control characters")
      }
    }
  }
}
