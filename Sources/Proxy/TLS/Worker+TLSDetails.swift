import HTTPCore
import Primitives
import TLS

/// What only some logs, headers and rules ask for, kept when a handshake is over.
extension Worker {
  func tlsNoteDetails(_ connection: ConnectionRef, _ tls: TLSRef, _ handshake: Handshake) {
    let transport = tls.pointee.isClient ? nil : connection.pointee.chain?.pointee.transport
    let needs = tls.pointee.isClient ? generation.pointee.upstreamDetails : transport?.details ?? []
    let forwarded = tls.pointee.peer == nil ? [] : transport?.forwarded ?? []
    if needs.isEmpty, forwarded.isEmpty { return }
    var captures: PeerCaptures = []
    if needs.contains(.pem) || forwarded.contains(.certificate) { captures.insert(.pem) }
    if needs.contains(.chain) || forwarded.contains(.chain) { captures.insert(.chain) }
    let own = tls.pointee.context?._withUnsafeGuaranteedRef { $0.ownTexts }
    var details = TLSDetails()
    var writer = TLSDetailsWriter()
    // Long facts are wanted here only: they are not kept as they are.
    let long = captures.isEmpty || tls.pointee.peer == nil ? nil : handshake.peerDetails(captures)
    defer { long?.free() }
    if let peer = tls.pointee.peer {
      details.notBefore = peer.pointee.notBefore
      details.notAfter = peer.pointee.notAfter
      if needs.contains(.pem), let long { writer.set(\.pem) { $0.escape(long.pem) } }
      if needs.contains(.chain), let long {
        writer.set(\.chainSerials) { $0.join(long.chainSerials) }
        writer.set(\.chainFingerprints256) { $0.join(long.chainSHA256) }
        writer.set(\.chainFingerprints1) { $0.join(long.chainSHA1) }
      }
      if forwarded.contains(.element) {
        writer.set(\.forwardedElement) { $0.element(forwarded, peer.pointee, long, own) }
      }
    }
    if needs.contains(.local), let own {
      writer.set(\.localSubject) { $0.bytes += own.subject }
      writer.set(\.localURINames) { $0.join(own.names(.uri)) }
      writer.set(\.localDNSNames) { $0.join(own.names(.dns)) }
      writer.set(\.localIPNames) { $0.join(own.names(.ip)) }
      writer.set(\.localEmailNames) { $0.join(own.names(.email)) }
      writer.set(\.localOtherNames) { $0.join(own.names(.other)) }
    }
    tls.pointee.detailText = writer.finish(&details)
    let memory = UnsafeMutablePointer<TLSDetails>.allocate(capacity: 1)
    memory.initialize(to: details)
    tls.pointee.facts.details = UnsafePointer(memory)
  }
}

/// Collects texts of a connection in one block.
private struct TLSDetailsWriter {
  typealias Field = WritableKeyPath<TLSDetails, ByteView>

  var bytes: [UInt8] = []
  private var fields: [(Field, Range<Int>)] = []

  mutating func set(_ field: Field, _ write: (inout TLSDetailsWriter) -> Void) {
    let start = bytes.count
    write(&self)
    fields.append((field, start..<bytes.count))
  }

  /// The block, which the caller frees; views into it are in `details`.
  func finish(_ details: inout TLSDetails) -> UnsafeMutablePointer<UInt8>? {
    guard !bytes.isEmpty else { return nil }
    let block = UnsafeMutablePointer<UInt8>.allocate(capacity: bytes.count)
    block.update(from: bytes, count: bytes.count)
    for (field, range) in fields where !range.isEmpty {
      details[keyPath: field] = ByteView(block + range.lowerBound, range.count)
    }
    return block
  }

  mutating func join(_ list: TextList) { join(list.map(\.array)) }

  mutating func join(_ list: [[UInt8]]) {
    for (index, text) in list.enumerated() {
      if index > 0 { bytes.append(UInt8(ascii: ",")) }
      bytes += text
    }
  }

  /// PEM in one word: what a header or a line of a log would break at is escaped as in a query.
  mutating func escape(_ pem: ByteView) {
    bytes.reserveCapacity(bytes.count + pem.count + pem.count / 8)
    for byte in pem.buffer {
      switch byte {
      case UInt8(ascii: "\n"): bytes += "%0A".utf8
      case UInt8(ascii: " "): bytes += "%20".utf8
      case UInt8(ascii: "+"): bytes += "%2B".utf8
      case UInt8(ascii: "/"): bytes += "%2F".utf8
      case UInt8(ascii: "="): bytes += "%3D".utf8
      default: bytes.append(byte)
      }
    }
  }

  /// The element of `x-forwarded-client-cert`.
  mutating func element(
    _ wanted: ForwardedCertificate, _ peer: PeerDetails, _ long: PeerDetails?, _ own: OwnCertificateTexts?
  ) {
    let start = bytes.count
    func key(_ name: StaticString, _ writer: inout TLSDetailsWriter) {
      if writer.bytes.count > start { writer.bytes.append(UInt8(ascii: ";")) }
      writer.bytes += ByteView(name).buffer
      writer.bytes.append(UInt8(ascii: "="))
    }
    for name in own?.names(.uri) ?? [] {
      key("By", &self)
      bytes += name
    }
    key("Hash", &self)
    bytes += peer.sha256.buffer
    if wanted.contains(.certificate), let long { quote("Cert", long.pem) }
    if wanted.contains(.chain), let long { quote("Chain", long.chainPEM) }
    if wanted.contains(.subject) {
      key("Subject", &self)
      bytes.append(UInt8(ascii: "\""))
      bytes += peer.subject.buffer
      bytes.append(UInt8(ascii: "\""))
    }
    if wanted.contains(.uriNames) {
      // The key is there without a name too.
      if peer.uriNames.isEmpty { key("URI", &self) }
      for name in peer.uriNames where Self.isClean(name) {
        key("URI", &self)
        bytes += name.buffer
      }
    }
    if wanted.contains(.dnsNames) {
      for name in peer.dnsNames where Self.isClean(name) {
        key("DNS", &self)
        bytes += name.buffer
      }
    }
    func quote(_ name: StaticString, _ pem: ByteView) {
      // A header that no host would take helps nobody: what is too long is left out.
      guard pem.count <= TLSLimits.forwardedPEMBytesMax else { return }
      key(name, &self)
      bytes.append(UInt8(ascii: "\""))
      escape(pem)
      bytes.append(UInt8(ascii: "\""))
    }
  }

  /// Whether a name that a stranger chose may stand in a header.
  private static func isClean(_ name: ByteView) -> Bool {
    name.buffer.allSatisfy { $0 >= 0x20 && $0 != 0x7f }
  }
}
