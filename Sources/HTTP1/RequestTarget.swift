import HTTPCore
import Primitives

/// Which form a request target has, and where its authority and path are (RFC 9112 section 3.2).
enum RequestTarget {
  @inline(__always)
  static func classify(
    _ base: UnsafePointer<UInt8>, _ head: inout RequestHead, _ options: HTTP1RequestOptions
  ) -> HTTP1Error? {
    head.scheme = .none
    head.authorityStart = 0
    head.authorityLength = 0
    if base[Int(head.targetStart)] == 47, head.method != .connect {
      head.form = .origin
      head.pathStart = head.targetStart
      head.pathLength = head.targetLength
      return nil
    }
    return classifyUnusual(base, &head, options)
  }

  @inline(never)
  private static func classifyUnusual(
    _ base: UnsafePointer<UInt8>, _ head: inout RequestHead, _ options: HTTP1RequestOptions
  ) -> HTTP1Error? {
    let start = Int(head.targetStart)
    let end = start &+ Int(head.targetLength)
    head.pathStart = head.targetStart
    head.pathLength = 0
    if head.method == .connect {
      guard
        Authority.isValid(base, start, end, readable: end, port: .required)
      else { return .badTarget }
      head.form = .authority
      head.authorityStart = head.targetStart
      head.authorityLength = head.targetLength
      return nil
    }
    if end &- start == 1, base[start] == 42 {
      guard head.method == .options else { return .badTarget }
      head.form = .asterisk
      head.pathLength = 1
      return nil
    }
    guard options.allowAbsoluteURL else { return .badTarget }
    return classifyAbsolute(base, start, end, &head)
  }

  private static func classifyAbsolute(
    _ base: UnsafePointer<UInt8>, _ start: Int, _ end: Int, _ head: inout RequestHead
  ) -> HTTP1Error? {
    let target = ByteView(base + start, end &- start)
    let authorityStart: Int
    if target.hasPrefixIgnoringCase(ByteView("http://")) {
      head.scheme = .http
      authorityStart = start &+ 7
    } else if target.hasPrefixIgnoringCase(ByteView("https://")) {
      head.scheme = .https
      authorityStart = start &+ 8
    } else {
      return .badTarget
    }
    var authorityEnd = authorityStart
    while authorityEnd < end, base[authorityEnd] != 47, base[authorityEnd] != 63 {
      authorityEnd &+= 1
    }
    // No user information: RFC 9110 section 4.2.4 calls it an error.
    guard
      Authority.isValid(
        base, authorityStart, authorityEnd, readable: authorityEnd, port: .optional)
    else {
      return .badTarget
    }
    head.form = .absolute
    head.authorityStart = UInt32(truncatingIfNeeded: authorityStart)
    head.authorityLength = UInt32(truncatingIfNeeded: authorityEnd &- authorityStart)
    head.pathStart = UInt32(truncatingIfNeeded: authorityEnd)
    head.pathLength = UInt32(truncatingIfNeeded: end &- authorityEnd)
    return nil
  }
}
