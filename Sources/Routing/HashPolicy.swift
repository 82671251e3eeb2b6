import Format
import HTTPCore
import Primitives
import RegularExpressions

/// A compiled hash policy.
struct HashPolicy: BitwiseCopyable {
  enum Kind: UInt8 { case header, cookie, sourceIP, queryParameter }

  var kind: Kind
  var isTerminal: Bool
  /// Of a cookie: made when the request lacks it.
  var makesCookie = false
  /// Of the header, the cookie or the parameter.
  var name = ByteView.empty
  var known = KnownHeader.other
  var rewrite: RegexRewrite?
  /// What stands behind a made cookie's value: `"`, then `; Max-Age=...` and so on.
  var cookieTail = ByteView.empty
}

/// A cookie that the response is to set, in the stream's arena.
public struct NewCookie {
  /// Of a `set-cookie` field.
  public let value: ByteView
  /// The one before.
  public let next: UnsafePointer<NewCookie>?
}

/// What the policies of a route have made of a request.
public struct RequestHash {
  public var value: UInt64 = 0
  /// Whether a policy has given a value; without one a random number counts.
  public var isSet = false
  /// Cookies to set, the last one first.
  public var cookies: UnsafePointer<NewCookie>?

  public init() {}
}

/// Who has sent a request, as far as policies ask.
public struct HashedClient {
  /// The trusted client's address; nil for what is not IP.
  public var address: IPAddress?
  /// The connection's two ends.
  public var remote: StreamInfo.Endpoint
  public var local: StreamInfo.Endpoint

  public init(address: IPAddress?, remote: StreamInfo.Endpoint, local: StreamInfo.Endpoint) {
    self.address = address
    self.remote = remote
    self.local = local
  }
}

/// The hash policies of one route as workers read them; the memory is that of ``HashPolicies``.
///
/// Source: Envoy `hash_policy.cc`; the values are Envoy's for the same request.
public struct HashPolicyList: BitwiseCopyable, @unchecked Sendable {
  // Sendable: points to memory that is read-only after configuration.
  let policies: UnsafePointer<HashPolicy>
  public let count: Int

  /// - Complexity: O(policies * bytes of the headers); takes memory from the arena only.
  public func hash(
    _ headers: UnsafePointer<HeaderMap>, _ client: HashedClient, arena: inout Arena
  ) -> RequestHash {
    var result = RequestHash()
    for i in 0..<count {
      if let value = value(i, headers, client, &result.cookies, &arena) {
        // The turn keeps two equal policies from cancelling each other out.
        result.value = (result.value << 1 | result.value >> 63) ^ value
        result.isSet = true
      }
      if policies[i].isTerminal, result.isSet { break }
    }
    return result
  }

  private func value(
    _ index: Int, _ headers: UnsafePointer<HeaderMap>, _ client: HashedClient,
    _ cookies: inout UnsafePointer<NewCookie>?, _ arena: inout Arena
  ) -> UInt64? {
    let policy = policies + index
    switch policy.pointee.kind {
    case .header: return header(policy, headers, &arena)
    case .cookie:
      if let value = headers.pointee.cookie(policy.pointee.name), !value.isEmpty {
        return xxHash64(value)
      }
      guard policy.pointee.makesCookie else { return nil }
      return makeCookie(policy, client, &cookies, &arena)
    case .sourceIP: return client.address.map { Self.hash($0) }
    case .queryParameter:
      guard let query = headers.pointee.value(.path)?.splitTarget.query else { return nil }
      return query.queryParameter(policy.pointee.name).map { xxHash64($0) }
    }
  }

  /// Of the address as text, without a port.
  public static func hash(_ address: IPAddress) -> UInt64 {
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 48) { room in
      guard let base = room.baseAddress else { return 0 }
      return xxHash64(ByteView(base, address.write(to: base)))
    }
  }

  // MARK: Headers

  /// Values in the order of their bytes, so that the order of fields does not matter.
  private func header(
    _ policy: UnsafePointer<HashPolicy>, _ headers: UnsafePointer<HeaderMap>, _ arena: inout Arena
  ) -> UInt64? {
    let found = occurrences(policy, headers)
    if found == 0 { return nil }
    if found == 1 {
      let first = headers.pointee.value(name: policy.pointee.name, known: policy.pointee.known) ?? .empty
      return xxHash64(rewritten(first, policy, &arena))
    }
    let values = arena.allocate(of: ByteView.self, count: found)
    var count = 0
    for i in 0..<headers.pointee.slotCount where isMeant(headers.pointee[slot: i], policy) {
      (values + count).initialize(to: rewritten(headers.pointee[slot: i].value, policy, &arena))
      count += 1
    }
    var sorted = UnsafeMutableBufferPointer(start: values, count: count)
    sorted.sortByHeap()
    var hash: UInt64 = 0
    for value in sorted { hash = xxHash64(value, seed: hash) }
    return hash
  }

  private func occurrences(
    _ policy: UnsafePointer<HashPolicy>, _ headers: UnsafePointer<HeaderMap>
  ) -> Int {
    if policy.pointee.known != .other { return headers.pointee.occurrences(policy.pointee.known) }
    var found = 0
    for i in 0..<headers.pointee.slotCount where isMeant(headers.pointee[slot: i], policy) { found += 1 }
    return found
  }

  @inline(__always)
  private func isMeant(_ field: HeaderField, _ policy: UnsafePointer<HashPolicy>) -> Bool {
    guard !field.isRemoved, field.known == policy.pointee.known else { return false }
    return field.known != .other || field.name == policy.pointee.name
  }

  private func rewritten(
    _ value: ByteView, _ policy: UnsafePointer<HashPolicy>, _ arena: inout Arena
  ) -> ByteView {
    policy.pointee.rewrite.map { $0.apply(value, &arena) } ?? value
  }

  // MARK: Cookies

  /// The value is the connection's, so that requests that race on it get the same one, and the same host.
  private func makeCookie(
    _ policy: UnsafePointer<HashPolicy>, _ client: HashedClient,
    _ cookies: inout UnsafePointer<NewCookie>?, _ arena: inout Arena
  ) -> UInt64 {
    // Address and port take at most 53 bytes.
    let capacity = 108 + client.remote.path.count + client.local.path.count
    var text = ByteSink(arena.allocate(capacity), capacity: capacity)
    text.write(client.remote)
    text.write(client.local)
    let name = policy.pointee.name
    let tail = policy.pointee.cookieTail
    let whole = name.count + 2 + 16 + tail.count
    var field = ByteSink(arena.allocate(whole), capacity: whole)
    field.write(name)
    field.write("=\"")
    let start = field.count
    field.write(hexadecimal: xxHash64(text.written))
    let value = field.written.dropFirst(start)
    field.write(tail)
    let cookie = arena.allocate(of: NewCookie.self, count: 1)
    cookie.initialize(to: NewCookie(value: field.written, next: cookies))
    cookies = UnsafePointer(cookie)
    return xxHash64(value)
  }
}

extension ByteSink {
  fileprivate mutating func write(_ endpoint: StreamInfo.Endpoint) {
    guard let ip = endpoint.ip else {
      write(endpoint.path)
      return
    }
    if ip.family == .v6 { write(UInt8(ascii: "[")) }
    write(ip)
    if ip.family == .v6 { write(UInt8(ascii: "]")) }
    write(UInt8(ascii: ":"))
    write(decimal: UInt64(endpoint.port))
  }

  /// 16 digits.
  fileprivate mutating func write(hexadecimal value: UInt64) {
    var shift: UInt64 = 64
    while shift > 0 {
      shift &-= 4
      let digit = UInt8(truncatingIfNeeded: value >> shift & 15)
      write(digit < 10 ? UInt8(ascii: "0") &+ digit : UInt8(ascii: "a") &+ digit &- 10)
    }
  }
}

extension UnsafeMutableBufferPointer where Element == ByteView {
  /// In place and without memory, which the library's sort takes; a client decides how many there are.
  fileprivate mutating func sortByHeap() {
    for parent in stride(from: count / 2 - 1, through: 0, by: -1) { sift(parent, count) }
    for last in stride(from: count - 1, through: 1, by: -1) {
      swapAt(0, last)
      sift(0, last)
    }
  }

  private mutating func sift(_ start: Int, _ end: Int) {
    var parent = start
    while true {
      var child = parent * 2 + 1
      guard child < end else { return }
      if child + 1 < end, self[child] < self[child + 1] { child += 1 }
      guard self[parent] < self[child] else { return }
      swapAt(parent, child)
      parent = child
    }
  }
}
