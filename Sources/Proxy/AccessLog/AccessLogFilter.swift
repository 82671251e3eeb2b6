import HTTPCore
import Primitives
import Routing

/// Which requests are logged (`AccessLogFilter` of accesslog.proto), compiled to a flat list so that
/// a decision follows indices and counts no references.
public final class AccessLogFilter: @unchecked Sendable {
  // Sendable: immutable after init.

  public enum Comparison: UInt8, Sendable { case equal, greaterOrEqual, lessOrEqual, notEqual }

  /// What a configuration says.
  public indirect enum Spec: Sendable {
    case statusCode(Comparison, UInt64)
    /// Milliseconds.
    case duration(Comparison, UInt64)
    case notHealthCheck
    case traceable
    /// Stable by request id unless `independent`.
    case runtime(numerator: UInt32, denominator: UInt32, independent: Bool)
    case and([Spec])
    case or([Spec])
    case header(HeaderMatcherSpec)
    /// Any of these; nil = any flag at all.
    case responseFlag(ResponseFlags?)
  }

  private enum Operation: UInt8 {
    case statusCode, duration, notHealthCheck, traceable, runtime, and, or, header, responseFlag
  }

  private struct Node {
    var operation: Operation
    var comparison = Comparison.equal
    var value: UInt64 = 0
    var denominator: UInt64 = 0
    var independent = false
    /// Index of the first child; children of one node follow each other.
    var firstChild = 0
    var childCount = 0
    var matcher = 0
  }

  private let nodes: UnsafeMutableBufferPointer<Node>
  private let owners: [HeaderConditions]
  private let conditions: FrozenList<Unmanaged<HeaderConditions>>

  public init(_ spec: Spec) throws(RoutingErrors) {
    var nodes: [Node] = [Node(operation: .and)]
    var matchers: [HeaderConditions] = []
    try Self.compile(spec, at: 0, &nodes, &matchers)
    self.nodes = .allocate(capacity: nodes.count)
    _ = self.nodes.initialize(from: nodes)
    self.owners = matchers
    self.conditions = FrozenList(matchers.map { .passUnretained($0) })
  }

  deinit {
    nodes.deinitialize()
    nodes.deallocate()
  }

  private static func compile(
    _ spec: Spec, at index: Int, _ nodes: inout [Node], _ matchers: inout [HeaderConditions]
  ) throws(RoutingErrors) {
    switch spec {
    case .statusCode(let comparison, let value):
      nodes[index] = Node(operation: .statusCode, comparison: comparison, value: value)
    case .duration(let comparison, let value):
      nodes[index] = Node(operation: .duration, comparison: comparison, value: value)
    case .notHealthCheck: nodes[index] = Node(operation: .notHealthCheck)
    case .traceable: nodes[index] = Node(operation: .traceable)
    case .runtime(let numerator, let denominator, let independent):
      nodes[index] = Node(
        operation: .runtime, value: UInt64(numerator), denominator: UInt64(max(1, denominator)),
        independent: independent)
    case .header(let matcher):
      nodes[index] = Node(operation: .header, matcher: matchers.count)
      matchers.append(try HeaderConditions(compiling: [matcher]))
    case .responseFlag(let flags):
      nodes[index] = Node(operation: .responseFlag, value: UInt64(flags?.rawValue ?? .max))
    case .and(let children), .or(let children):
      let first = nodes.count
      var isAnd = false
      if case .and = spec { isAnd = true }
      nodes[index] = Node(
        operation: isAnd ? .and : .or, firstChild: first, childCount: children.count)
      nodes.append(contentsOf: children.map { _ in Node(operation: .and) })
      for (i, child) in children.enumerated() {
        try compile(child, at: first + i, &nodes, &matchers)
      }
    }
  }

  /// - Parameters:
  ///   - request: Nil for a TCP connection.
  ///   - stableRandom: Of the request id, 0...9999; nil when it has none.
  func accepts(
    _ info: UnsafePointer<StreamInfo>, request: UnsafeMutablePointer<HeaderMap>?,
    stableRandom: UInt32?, random: inout FastRandom
  ) -> Bool {
    evaluate(0, info, request, stableRandom, &random)
  }

  private func evaluate(
    _ index: Int, _ info: UnsafePointer<StreamInfo>, _ request: UnsafeMutablePointer<HeaderMap>?,
    _ stable: UInt32?, _ random: inout FastRandom
  ) -> Bool {
    let node = nodes[index]
    switch node.operation {
    case .statusCode:
      return compare(UInt64(info.pointee.responseCode), node)
    case .duration:
      return compare((info.pointee.end &- info.pointee.start) / 1_000_000, node)
    case .notHealthCheck: return !info.pointee.isHealthCheck
    case .traceable: return stable != nil && !info.pointee.isHealthCheck
    case .runtime:
      let draw: UInt64
      if !node.independent, let stable {
        draw = UInt64(stable) * node.denominator / 10_000
      } else {
        draw = UInt64(random.below(UInt32(truncatingIfNeeded: node.denominator)))
      }
      return draw < node.value
    case .and:
      for i in 0..<node.childCount
      where !evaluate(node.firstChild + i, info, request, stable, &random) {
        return false
      }
      return true
    case .or:
      for i in 0..<node.childCount
      where evaluate(node.firstChild + i, info, request, stable, &random) {
        return true
      }
      return false
    case .header:
      guard let request else { return false }
      return conditions.buffer[node.matcher]._withUnsafeGuaranteedRef { $0.match(request) }
    case .responseFlag:
      return UInt64(info.pointee.flags.rawValue) & node.value != 0
    }
  }

  private func compare(_ actual: UInt64, _ node: Node) -> Bool {
    switch node.comparison {
    case .equal: actual == node.value
    case .greaterOrEqual: actual >= node.value
    case .lessOrEqual: actual <= node.value
    case .notEqual: actual != node.value
    }
  }
}
