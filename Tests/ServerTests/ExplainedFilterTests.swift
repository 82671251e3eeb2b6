import Testing

@testable import Server

struct ExplainedFilterTests {
  private static let type = "envoy.extensions.filters.http.health_check.v3.HealthCheck"

  private func filter(_ name: String) -> Explanation.Filter { Explanation.Filter(name: name, type: Self.type) }

  @Test func theTypeIsToldWhereTheNameDoesNot() {
    #expect(filter("envoy.filters.http.health_check").line == "envoy.filters.http.health_check")
    #expect(filter("health_check").line == "health_check")
    #expect(filter("checks").line == "checks (health_check)")
    #expect(Explanation.Filter(name: "x", type: "odd").line == "x (odd)")
  }

  @Test func aLineHasItsState() {
    var one = filter("health_check")
    one.settings = [.init(text: "route"), .init(text: "virtual host")]
    #expect(one.line == "health_check: settings of the route and the virtual host")
    one.says = "answers"
    #expect(one.line == "health_check: settings of the route and the virtual host; answers")
    one.state = .notReached
    #expect(one.line == "health_check: not reached")
    one.state = .disabled(.init(text: "route"))
    #expect(one.line == "health_check: disabled (route)")
  }

  @Test func anAnswerIsToldOfTheFilterAndOfTheRequest() {
    let effect = FilterEffect.answers("200 because the path is /healthz", by: filter("checks"))
    #expect(effect.says == "answers itself: 200 because the path is /healthz")
    guard case .answered("200 from the health_check filter because the path is /healthz")? = effect.ends else {
      Issue.record("\(String(describing: effect.ends))")
      return
    }
    guard case .failed("413 from the health_check filter")? = FilterEffect.answers("413", by: filter("checks"), fails: true).ends else {
      Issue.record("not a failure")
      return
    }
  }
}
