extension FilterChainMatcher {
  /// What of a chain's criteria a connection does not meet, by the name of its field; the first in the order in which
  /// they are looked at. Nil: the chain would take the connection, but another one fits better.
  public func mismatch(chain index: Int, _ connection: Connection) -> String? {
    guard criteria.indices.contains(index) else { return nil }
    let wanted = criteria[index]
    func isMet(_ change: (inout Criteria) -> Void) -> Bool {
      var one = Criteria()
      change(&one)
      return FilterChainMatcher(criteria: [one], defaultChain: nil).match(connection) != nil
    }
    let steps: [(String, (inout Criteria) -> Void)] = [
      ("destination_port", { $0.destinationPort = wanted.destinationPort }),
      ("prefix_ranges", { $0.destinationRanges = wanted.destinationRanges }),
      ("server_names", { $0.serverNames = wanted.serverNames }),
      ("transport_protocol", { $0.transport = wanted.transport }),
      ("application_protocols", { $0.protocols = wanted.protocols }),
      ("direct_source_prefix_ranges", { $0.directSourceRanges = wanted.directSourceRanges }),
      ("source_type", { $0.sourceType = wanted.sourceType }),
      ("source_prefix_ranges", { $0.sourceRanges = wanted.sourceRanges }),
      ("source_ports", { $0.sourcePorts = wanted.sourcePorts }),
    ]
    return steps.first { !isMet($0.1) }?.0
  }
}
