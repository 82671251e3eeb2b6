import Format
import HTTPCore
import Primitives
import Testing

@Suite struct HeaderMutationTests {
  typealias Addition = HeaderMutationSpec.Addition

  static func lines(_ headers: UnsafeMutablePointer<HeaderMap>) -> [String] {
    (0..<headers.pointee.slotCount).compactMap { i in
      let field = headers.pointee[slot: i]
      return field.isRemoved ? nil : "\(field.name.string): \(field.value.string)"
    }
  }

  @Test(arguments: [
    ([Addition(name: "X", value: "2")], [], ["x: 1", "y: 1", "x: 2"]),
    ([Addition(name: "x", value: "2", action: .overwriteIfExistsOrAdd)], [], ["x: 2", "y: 1"]),
    ([Addition(name: "z", value: "2", action: .overwriteIfExistsOrAdd)], [], ["x: 1", "y: 1", "z: 2"]),
    ([Addition(name: "z", value: "2", action: .overwriteIfExists)], [], ["x: 1", "y: 1"]),
    ([Addition(name: "x", value: "2", action: .overwriteIfExists)], [], ["x: 2", "y: 1"]),
    ([Addition(name: "x", value: "2", action: .addIfAbsent)], [], ["x: 1", "y: 1"]),
    ([Addition(name: "z", value: "2", action: .addIfAbsent)], [], ["x: 1", "y: 1", "z: 2"]),
    ([], ["X", "none"], ["y: 1"]),
    ([Addition(name: "x", value: "2")], ["x"], ["y: 1", "x: 2"]),
    ([Addition(name: "z", value: "%REQ(none)%")], [], ["x: 1", "y: 1"]),
    ([Addition(name: "z", value: "%REQ(none)%", keepsEmptyValue: true)], [], ["x: 1", "y: 1", "z: "]),
    ([Addition(name: "z", value: "a%REQ(none)%b%%")], [], ["x: 1", "y: 1", "z: ab%"]),
    (
      // Values are formatted before anything changes; overwriting comes before adding.
      [
        Addition(name: "z", value: "%REQ(x)%"),
        Addition(name: "x", value: "9", action: .overwriteIfExistsOrAdd),
        Addition(name: "x", value: "3"),
      ], [], ["x: 9", "y: 1", "z: 1", "x: 3"]
    ),
  ] as [([Addition], [String], [String])])
  func applies(additions: [Addition], removals: [String], want: [String]) throws {
    let mutations = try HeaderMutations(
      HeaderMutationSpec(additions: additions, removals: removals), environment: environment)
    withContext(StreamInfo(), request: [("x", "1"), ("y", "1")]) { context, headers, arena in
      mutations.program.apply(to: headers, arena: arena, context: context)
      #expect(Self.lines(headers) == want)
    }
  }

  @Test(arguments: [
    (":path", "v", "additions[0].name"), ("Host", "v", "additions[0].name"),
    ("a b", "v", "additions[0].name"), ("", "v", "additions[0].name"),
    ("x", "%NOPE%", "additions[0].value"), ("x", "a\r\nb", "additions[0].value"),
  ])
  func refuses(name: String, value: String, path: String) {
    let error = #expect(throws: HeaderMutationError.self) {
      try HeaderMutations(HeaderMutationSpec(additions: [Addition(name: name, value: value)]))
    }
    #expect(error?.path == path)
    #expect(throws: HeaderMutationError.self) {
      try HeaderMutations(HeaderMutationSpec(removals: [":status"]))
    }
  }
}
