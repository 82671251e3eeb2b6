import CNGHTTP2
import HTTPCore
import Primitives

/// Makes a header map of the fields of one block, and sees to the rules that the library leaves to
/// us. Names and values are copied once, into the arena of whom the list is for; what is in the
/// static table, and the names of known headers, is not copied at all.
struct HeaderListBuilder {
  enum Kind: UInt8 {
    case request, response, trailers
    /// Nobody wants the list; it is decoded for the sake of the dynamic table.
    case ignored
  }

  private(set) var kind = Kind.ignored
  var map: HeaderMap
  var arena: UnsafeMutablePointer<Arena>
  /// The session's own arena has a list that an event told of, and nobody has taken.
  var holdsList = false

  // Limits
  private let bytesMax: Int
  private let fieldsMax: Int
  private let underscores: UnderscorePolicy
  private let refusesObsText: Bool
  let closesOnMalformed: Bool

  // The block so far
  private(set) var bytes = 0
  private var count = 0
  private var fault: HTTP2Error?
  private var cookieCount = 0
  private var hasHost = false
  private var known = KnownHeaderTable.shared
  private var droppedUnderscores: UInt64 = 0

  init(_ options: HTTP2Options, isServer: Bool, arena: UnsafeMutablePointer<Arena>) {
    bytesMax = Int(options.headBytesMax)
    fieldsMax = Int(options.fieldCountMax)
    underscores = options.underscores
    refusesObsText = options.refusesObsText
    closesOnMalformed = options.closesOnMalformed
    self.arena = arena
    map = HeaderMap(unallocatedIn: arena)
  }

  mutating func begin(_ kind: Kind, in arena: UnsafeMutablePointer<Arena>) {
    self.kind = kind
    self.arena = arena
    bytes = 0
    count = 0
    fault = nil
    cookieCount = 0
    hasHost = false
    map = HeaderMap(unallocatedIn: arena)
  }

  /// How much of an arena responses 1xx may take: a server could send them for ever.
  var interimBytesMax: Int { max(bytesMax, 16 * 1024) }
  /// What a list takes besides names and values, roughly.
  static let listBytes = 1024

  /// So many fields that no limit can have been meant: a block that unfolds into a list a thousand
  /// times its size.
  var isFlood: Bool { count > 4 &* max(fieldsMax, 32) }

  /// One field, valid by the library's rules: the name has no upper case, the value no controls.
  @inline(__always)
  mutating func add(_ nameBuffer: OpaquePointer, _ valueBuffer: OpaquePointer, _ flags: UInt8) {
    count &+= 1
    let name = nghttp2_rcbuf_get_buf(nameBuffer)
    let value = nghttp2_rcbuf_get_buf(valueBuffer)
    bytes &+= name.len &+ value.len
    if kind == .ignored || fault != nil { return }
    if count > fieldsMax || bytes > bytesMax {
      fault = HTTP2Error(count > fieldsMax ? .tooManyFields : .headersTooLarge)
      return
    }
    let nameView = ByteView(name.base, name.len)
    let known = self.known.find(nameView)
    var valueView = ByteView(value.base, value.len)
    if nghttp2_rcbuf_is_static(valueBuffer) == 0 { valueView = arena.pointee.copy(valueView) }
    if refusesObsText, hasObsText(valueView) {
      fault = HTTP2Error(.invalidField)
      return
    }
    if known == .other {
      addUnknown(nameBuffer, nameView, valueView, flags)
      return
    }
    if !look(known, valueView) { return }
    map.append(
      name: self.known.name(known), value: valueView, known: known,
      isSensitive: flags & cng_nv_no_index != 0)
  }

  private mutating func addUnknown(
    _ buffer: OpaquePointer, _ name: ByteView, _ value: ByteView, _ flags: UInt8
  ) {
    if underscores != .allow, name.firstIndex(of: 95) != nil {
      if underscores == .reject {
        fault = HTTP2Error(.underscoreName)
      } else {
        droppedUnderscores &+= 1
      }
      return
    }
    let kept = nghttp2_rcbuf_is_static(buffer) != 0 ? name : arena.pointee.copy(name)
    map.append(
      name: kept, value: value, known: .other, isSensitive: flags & cng_nv_no_index != 0)
  }

  /// Fields that a rule is about.
  ///
  /// - Returns: Whether the field goes into the map.
  @inline(__always)
  private mutating func look(_ known: KnownHeader, _ value: ByteView) -> Bool {
    switch known {
    case .method:
      if !MessageRules.isValidMethod(value) { fault = HTTP2Error(.invalidField) }
    case .path:
      if !MessageRules.isValidTarget(value) { fault = HTTP2Error(.invalidField) }
    case .authority:
      if !MessageRules.isValidAuthority(value) { fault = HTTP2Error(.invalidField) }
    case .host where kind == .request: return lookAtHost(value)
    case .cookie: cookieCount &+= 1
    case .http2Settings where kind == .request: return false  // RFC 9113 section 3.1
    default: break
    }
    return true
  }

  /// Host alone is the authority; beside one it is checked and dropped.
  private mutating func lookAtHost(_ value: ByteView) -> Bool {
    if hasHost || !MessageRules.isValidAuthority(value) { fault = HTTP2Error(.invalidField) }
    hasHost = true
    if !map.contains(.authority) { map.append(.authority, value) }
    return false
  }

  private func hasObsText(_ value: ByteView) -> Bool {
    for i in 0..<value.count where value.base[i] >= 0x80 { return true }
    return false
  }

  /// The block is complete.
  ///
  /// - Parameter head: Gets what is known of the message.
  /// - Returns: What is wrong with it.
  mutating func finish(_ head: inout HTTP2Head) -> HTTP2Error? {
    if cookieCount > 1 { map.joinCookies() }
    if let value = map.value(.contentLength), kind != .trailers {
      // The library has looked at the syntax.
      head.contentLength = Int64(clamping: value.decimal() ?? 0)
    }
    switch kind {
    case .ignored, .trailers: break
    case .request: finishRequest(&head)
    case .response:
      if let status = map.value(.status)?.decimal() { head.status = UInt16(clamping: status) }
    }
    return fault
  }

  private mutating func finishRequest(_ head: inout HTTP2Head) {
    head.method = RequestMethod(map.value(.method) ?? .empty)
    if let expect = map.value(.expect), expect.equalsIgnoringCase("100-continue") {
      head.expectsContinue = true
    }
    head.isExtendedConnect = head.method == .connect && map.contains(.connectProtocol)
    if head.method == .connect, !head.isExtendedConnect {
      // As in HTTP/1: a host with its port, and no content (RFC 9110 section 9.3.6).
      head.contentLength = -1
      map.remove(.contentLength)
      let authority = map.value(.authority) ?? .empty
      if fault == nil, !MessageRules.isValidAuthority(authority, port: .required) {
        fault = HTTP2Error(.invalidField)
      }
      return
    }
    // Whatever the scheme: nothing that HTTP/1 would read as a URI or as nothing.
    guard fault == nil, let path = map.value(.path) else { return }
    let isAsterisk = path.count == 1 && path.base[0] == 42 && head.method == .options
    if path.base[0] != 47, !isAsterisk { fault = HTTP2Error(.invalidField) }
  }

  /// Fields dropped since the last call.
  mutating func takeDroppedUnderscores() -> UInt64 {
    defer { droppedUnderscores = 0 }
    return droppedUnderscores
  }
}
