/// How clusters choose among their hosts, beyond turns and chance: drawn by seed.
struct BalancingSettings {
  private let policy: String?
  private let fields: String
  private let common: [String]
  private let hashed: String

  init(_ dice: Dice) {
    let fields = [
      "LEAST_REQUEST": dice.pick(["", "least_request_lb_config: { choice_count: 3, slow_start_config: { slow_start_window: 2s } }"]),
      "RING_HASH": dice.pick(["", "consistent_hashing_lb_config: { hash_balance_factor: 110 }"]),
      "MAGLEV": dice.pick(["maglev_lb_config: { table_size: 101 }", "consistent_hashing_lb_config: { hash_balance_factor: 150 }"]),
      "ROUND_ROBIN": "round_robin_lb_config: { slow_start_config: { slow_start_window: 1s } }",
    ]
    policy = dice.chance(0.6) ? dice.pick(["LEAST_REQUEST", "RING_HASH", "MAGLEV", "ROUND_ROBIN"]) : nil
    let field = policy.flatMap { fields[$0] } ?? ""
    let isCommon = field.hasPrefix("consistent")
    self.fields = isCommon ? "" : field
    common = isCommon ? [field] : []
    hashed = dice.pick([
      "", "{ header: { header_name: x-id } }", "{ connection_properties: { source_ip: true } }",
      "{ query_parameter: { name: q } }, { cookie: { name: session, ttl: 10s } }",
    ])
  }

  /// Lines of a cluster, in the column of its fields.
  ///
  /// - Parameter more: Fields of `common_lb_config`.
  func cluster(otherwise: String, common more: [String]) -> String {
    let common = common + more
    let lines = [
      "lb_policy: \(policy ?? otherwise)", fields,
      common.isEmpty ? "" : "common_lb_config: { \(common.joined(separator: ", ")) }",
    ]
    return lines.filter { !$0.isEmpty }.joined(separator: "\n    ")
  }

  /// More fields of a route's action.
  var route: String { hashed.isEmpty ? "" : ", hash_policy: [\(hashed)]" }

  /// More fields of weighted clusters.
  var weighted: String { hashed.isEmpty ? "" : ", use_hash_policy: true" }

  /// More fields of a TCP proxy.
  var tcp: String { hashed.isEmpty ? "" : ", hash_policy: [{ source_ip: {} }]" }
}
