import Format
import Routing
import Testing

@testable import Proxy

@Suite(.serialized)
struct HeaderMutationFilterTests {
  private static func append(
    _ name: String, _ value: String,
    _ action: HeaderMutationSpec.AppendAction = .appendIfExistsOrAdd
  ) -> HeaderMutationSteps.Step {
    .append(HeaderMutationSpec.Addition(name: name, value: value, action: action))
  }

  @Test func stepsAreDoneInOrder() throws {
    var setup = ProxyHarness.Setup()
    setup.filters = { _ in
      [
        HeaderMutationFilter(
          name: "m",
          request: try HeaderMutationSteps([
            Self.append("x-gone", "1"), .remove("x-gone"), .remove("user-agent"),
            Self.append("x-path", "%REQ(:PATH)%"), Self.append("x-copy", "%REQ(x-path)%"),
          ]),
          response: try HeaderMutationSteps([
            Self.append("x-code", "%RESPONSE_CODE%"), .remove("x-secret"),
            Self.append("x-list", "b"),
          ]), mostSpecificWins: false)
      ]
    }
    setup.origin = { _ in TestOrigin.ok("", headers: "x-secret: 1\r\nx-list: a\r\n") }
    try withProxy(setup) { (proxy) throws in
      let answer = try proxy.get("/p", headers: "user-agent: u\r\n")
      let seen = try #require(proxy.origin.requests.first)
      #expect(seen["x-gone"] == nil)
      #expect(seen["user-agent"] == nil)
      #expect(seen["x-path"] == "/p")
      #expect(seen["x-copy"] == "/p")
      #expect(answer["x-secret"] == nil)
      #expect(answer.values("x-list") == ["a", "b"])
    }
  }

  @Test(arguments: [(false, "own route host table"), (true, "own table host route")])
  func levelsApplyInOrder(mostSpecificWins: Bool, want: String) throws {
    func steps(_ value: String) throws -> HeaderMutationSteps {
      try HeaderMutationSteps([Self.append("x-order", value)])
    }
    func config(_ value: String, _ inherited: HeaderMutationRouteConfig?) throws
      -> HeaderMutationRouteConfig
    {
      HeaderMutationRouteConfig(
        request: try steps(value), response: try steps(value), inherited: inherited)
    }
    var setup = ProxyHarness.Setup()
    setup.filters = { _ in
      [
        HeaderMutationFilter(
          name: "m", request: try steps("own"), response: try steps("own"),
          mostSpecificWins: mostSpecificWins)
      ]
    }
    setup.filterConfigs = [try config("route", try config("host", try config("table", nil)))]
    setup.virtualHostFilterConfigs = [FilterConfigSpec(filterName: "m", slot: 0)]
    setup.origin = { _ in TestOrigin.ok("") }
    try withProxy(setup) { (proxy) throws in
      let answer = try proxy.get()
      #expect(answer.values("x-order").joined(separator: " ") == want)
      let seen = try #require(proxy.origin.requests.first)
      #expect(seen.values("x-order").joined(separator: " ") == want)
    }
  }

  @Test func repliesOfTheProxyAreChangedToo() throws {
    var setup = ProxyHarness.Setup()
    setup.routes = []
    setup.filters = { _ in
      [
        HeaderMutationFilter(
          name: "m", request: nil,
          response: try HeaderMutationSteps([Self.append("x-r", "1")]), mostSpecificWins: false)
      ]
    }
    try withProxy(setup) { (proxy) throws in
      let answer = try proxy.get()
      #expect(answer.status == 404)
      #expect(answer["x-r"] == "1")
    }
  }

  @Test func errorsSayWhichStep() {
    let pseudo = #expect(throws: HeaderMutationError.self) {
      _ = try HeaderMutationSteps([.remove("x"), Self.append(":path", "/")])
    }
    #expect(pseudo?.path == "[1].append.name")
    let host = #expect(throws: HeaderMutationError.self) {
      _ = try HeaderMutationSteps([.remove("host")])
    }
    #expect(host?.path == "[0].remove")
  }
}
