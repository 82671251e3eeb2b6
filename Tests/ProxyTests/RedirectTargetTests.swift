import Primitives
import Testing

@testable import Proxy

struct RedirectTargetTests {
  struct Row: Sendable, CustomTestStringConvertible {
    let location: String
    /// Scheme, authority, path; nil: not a URL that is followed.
    let want: [String]?
    var testDescription: String { location }

    init(_ location: String, _ want: String...) {
      self.location = location
      self.want = want.isEmpty ? nil : want
    }
  }

  @Test(arguments: [
    Row("http://a.example/b/c?d=e#f", "http", "a.example", "/b/c?d=e"),
    Row("https://a.example:8443", "https", "a.example:8443", ""),
    Row("HTTPS://A.example/", "https", "A.example", "/"),
    Row("http://[::1]:80/x", "http", "[::1]:80", "/x"),
    Row("http://a.example?q", "http", "a.example", "?q"),
    Row("http://a.example#f/g", "http", "a.example", ""),
    Row(""), Row("/a"), Row("//a.example/b"), Row("a.example/b"), Row("http:"), Row("http:/a"), Row("http://"),
    Row("http:///a"), Row("http://?a"), Row("ftp://a.example/"), Row("http://user@a.example/"),
    Row("http://a b/"), Row("http://a.example/b c"), Row("http://a.example/\u{7f}"), Row("http://ä.example/"),
  ])
  func parts(_ row: Row) {
    var text = row.location
    let found: [String]? = text.withUTF8 { bytes in
      let view = bytes.baseAddress.map { ByteView($0, bytes.count) } ?? .empty
      return RedirectTarget(view).map {
        [$0.isHTTPS ? "https" : "http", $0.authority.string, $0.path.string]
      }
    }
    #expect(found == row.want)
  }
}
