import HTTPCore
import Primitives
import Proxy
import Routing

extension Explainer {
  func cors(_ filter: CorsFilter, _ asked: AskedFilter) -> FilterEffect {
    let kind = asked.at.table.pointee.table.lookup
    let isForwarded = asked.at.route.map { kind.route($0.number).pointee.kind == .forward } ?? false
    let origin = asked.at.headers.pointee.value(.origin)?.string ?? ""
    switch filter.trace(asked.at.headers, own: asked.own, isForwarded: isForwarded) {
    case .noPolicy: return FilterEffect(says: "no policy for the route")
    case .notForwarded: return FilterEffect(says: "no policy counts: the route does not lead to a cluster")
    case .off: return FilterEffect(says: "filter_enabled is 0")
    case .sameOrigin: return FilterEffect(says: "the request has no origin header")
    case .passes(let isAllowed, let share):
      let words = isAllowed ? "allows origin \(origin)" : "origin \(origin) is not allowed: the answer gets no access-control headers"
      return FilterEffect(says: words + part(share))
    case .preflight(let isAllowed, let share):
      let why = isAllowed ? "because it is a preflight of origin \(origin)" : "without permission because origin \(origin) is not allowed"
      guard share.numerator < share.denominator else { return .answers("200 \(why)", by: asked.shown) }
      return FilterEffect(says: "answers itself: 200 \(why)\(part(share))")
    }
  }

  private func part(_ share: CorsPolicy.Fraction) -> String {
    share.numerator < share.denominator
      ? " (\(Self.percent(Double(share.numerator) / Double(share.denominator))) % of requests: filter_enabled)" : ""
  }
}
