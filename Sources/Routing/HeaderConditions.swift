import Format
import HTTPCore
import Primitives

/// Conditions on headers that must all hold, compiled outside a route table: for access logs and
/// filters that look at requests themselves.
public final class HeaderConditions: @unchecked Sendable {
  // Sendable: everything is written in the initialiser and only read afterwards.
  private let owners: RouteTableCompiler.Owners
  private let matchers: UnsafePointer<HeaderMatcher>
  private let count: Int

  /// - Throws: Everything that is wrong; paths begin with the index of the matcher.
  public init(compiling specs: [HeaderMatcherSpec]) throws(RoutingErrors) {
    var compiler = RouteTableCompiler(RouteTableSpec(), environment: .process)
    let compiled = compiler.headerMatchers(specs, "")
    if !compiler.errors.isEmpty { throw RoutingErrors(errors: compiler.errors) }
    owners = compiler.owners
    matchers = owners.memory.store(compiled)
    count = compiled.count
  }

  public func match(_ headers: UnsafePointer<HeaderMap>) -> Bool { mismatch(headers) == nil }

  /// The first condition that does not hold; nil: all do.
  @inline(__always)
  public func mismatch(_ headers: UnsafePointer<HeaderMap>) -> Int? {
    for i in 0..<count where !matchers[i].matches(headers) { return i }
    return nil
  }
}
