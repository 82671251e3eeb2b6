import CNGHTTP2
import HTTPCore
import Primitives

/// Turns a header map into the library's array, in the thread's scratch space. Nothing is copied:
/// names and values must live until the frame is packed.
struct HeaderListWriter {
  private let first: UnsafeMutablePointer<nghttp2_nv>
  private(set) var count = 0
  /// What the block can come to at most, by the library's own estimate.
  private(set) var boundBytes = 12 + 5
  /// The library's limit; it drops longer blocks without a word.
  static let boundBytesMax = 65_536

  /// - Parameter fieldCount: How many fields will be put, at most.
  init(_ memory: UnsafeMutablePointer<MemoryCore>, fieldCount: Int) {
    memory.pointee.reserveScratch(fieldCount)
    first = memory.pointee.scratch
  }

  var fits: Bool { boundBytes <= Self.boundBytesMax }
  var fields: UnsafeMutablePointer<nghttp2_nv> { first }

  /// `:method`, `:scheme`, `:authority`, `:path`, `:protocol` and the fields of a request.
  ///
  /// - Parameter connectProtocol: Makes it extended CONNECT (RFC 8441 section 4), whatever method the map has.
  @inline(__always)
  mutating func putRequest(_ map: borrowing HeaderMap, connectProtocol: ByteView?) {
    var method = map.value(.method) ?? ByteView("GET")
    var connectProtocol = connectProtocol
    if connectProtocol != nil {
      method = ByteView("CONNECT")
    } else {
      connectProtocol = map.value(.connectProtocol)
    }
    let isTunnel = method == "CONNECT" && connectProtocol == nil
    put(.method, method)
    if !isTunnel { put(.scheme, scheme(map)) }
    if let authority = map.value(.authority) { put(.authority, authority) }
    if !isTunnel {
      put(.path, map.value(.path) ?? ByteView("/"))
      if let connectProtocol { put(.connectProtocol, connectProtocol) }
    }
    putFields(map, isRequest: true)
  }

  private func scheme(_ map: borrowing HeaderMap) -> ByteView {
    if let scheme = map.value(.scheme) { return scheme }
    if let forwarded = map.value(.xForwardedProto) { return forwarded }
    return ByteView("http")
  }

  /// `:status` and the fields of a response.
  @inline(__always)
  mutating func putResponse(_ map: borrowing HeaderMap) {
    put(.status, map.value(.status) ?? ByteView("200"))
    putFields(map, isRequest: false)
  }

  @inline(__always)
  mutating func putTrailers(_ map: borrowing HeaderMap) { putFields(map, isRequest: false) }

  /// - Parameter status: Three digits that live until the frame is packed.
  mutating func putInterim(status: ByteView, _ map: borrowing HeaderMap) {
    put(.status, status)
    putFields(map, isRequest: false)
  }

  /// Every field that is for the next hop (RFC 9113 section 8.2.2).
  private mutating func putFields(_ map: borrowing HeaderMap, isRequest: Bool) {
    var i = 0
    while i < map.slotCount {
      let field = map[slot: i]
      i &+= 1
      if field.isRemoved { continue }
      switch field.known {
      case .method, .path, .authority, .scheme, .status, .connectProtocol, .host, .connection,
        .keepAlive, .proxyConnection, .transferEncoding, .upgrade, .http2Settings:
        continue
      case .te:
        if !isRequest || !field.value.equalsIgnoringCase("trailers") { continue }
      default: break
      }
      put(field)
    }
  }

  @inline(__always)
  private mutating func put(_ known: KnownHeader, _ value: ByteView) {
    put(HeaderField(name: ByteView(known.name), value: value, known: known))
  }

  @inline(__always)
  private mutating func put(_ field: HeaderField) {
    var flags = cng_nv_borrowed
    if field.isSensitive || Self.isUnique(field.known) { flags |= cng_nv_no_index }
    // The library only reads them.
    (first + count).initialize(
      to: nghttp2_nv(
        name: UnsafeMutablePointer(mutating: field.name.base),
        value: UnsafeMutablePointer(mutating: field.value.base),
        namelen: field.name.count, valuelen: field.value.count, flags: flags))
    count &+= 1
    boundBytes &+= 12 &+ field.name.count &+ field.value.count
  }

  /// Values that do not come again: in the peer's table they only cost.
  @inline(__always)
  private static func isUnique(_ known: KnownHeader) -> Bool {
    known == .xRequestID || known == .envoyUpstreamServiceTime || known == .grpcMessage
  }
}
