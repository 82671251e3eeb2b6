import COpenSSL
import Primitives

/// Which facts of a peer's certificate are kept beyond the usual ones: they are long.
public struct PeerCaptures: OptionSet, BitwiseCopyable, Sendable {
  public let rawValue: UInt8
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  /// The leaf as PEM.
  public static let pem = PeerCaptures(rawValue: 1)
  /// The whole chain as PEM, and its serial numbers and digests.
  public static let chain = PeerCaptures(rawValue: 2)
}

/// A list of texts in one block: each behind two bytes of length.
public struct TextList: BitwiseCopyable, Sendable {
  let bytes: ByteView

  public static let empty = TextList(bytes: .empty)
  public var isEmpty: Bool { bytes.isEmpty }
}

extension TextList: Sequence {
  public struct Iterator: IteratorProtocol {
    var left: ByteView

    public mutating func next() -> ByteView? {
      guard left.count >= 2 else { return nil }
      let count = Int(left[0]) << 8 | Int(left[1])
      let text = left.slice(from: 2, to: 2 + count)
      left = left.dropFirst(2 + count)
      return text
    }
  }

  public func makeIterator() -> Iterator { Iterator(left: bytes) }
}

/// What is known of a certificate during its connection: views into one block of exactly the size that is needed.
public struct PeerDetails: BitwiseCopyable {
  private let block: UnsafeMutablePointer<UInt8>
  /// Bytes of the block.
  public let byteCount: Int
  /// RFC 2253.
  public private(set) var subject = ByteView.empty
  public private(set) var issuer = ByteView.empty
  /// Lower hex.
  public private(set) var serial = ByteView.empty
  public private(set) var sha256 = ByteView.empty
  public private(set) var sha1 = ByteView.empty
  public private(set) var emailNames = TextList.empty
  public private(set) var dnsNames = TextList.empty
  public private(set) var uriNames = TextList.empty
  public private(set) var ipNames = TextList.empty
  public private(set) var otherNames = TextList.empty
  /// Seconds since 1970.
  public let notBefore: Int64
  public let notAfter: Int64
  /// Only when they were asked for; the leaf is the first of each list.
  public private(set) var pem = ByteView.empty
  public private(set) var chainPEM = ByteView.empty
  public private(set) var chainSerials = TextList.empty
  public private(set) var chainSHA256 = TextList.empty
  public private(set) var chainSHA1 = TextList.empty

  /// Frees the block; no copy may be used afterwards.
  public func free() { block.deallocate() }

  /// Facts of a certificate of ours.
  public init?(der: [UInt8], captures: PeerCaptures = []) {
    guard let certificate = try? Certificate(der) else { return nil }
    self.init([CertificateView(pointer: certificate.pointer)], captures)
  }

  /// - Parameter chain: The leaf first.
  init?(_ chain: [CertificateView], _ captures: PeerCaptures) {
    guard let leaf = chain.first else { return nil }
    var facts = copenssl_facts()
    _ = copenssl_certificate_facts(leaf.pointer, &facts)
    notBefore = facts.not_before
    notAfter = facts.not_after
    var writer = DetailsWriter()
    let texts = [
      leaf.bytes(COPENSSL_SUBJECT), leaf.bytes(COPENSSL_ISSUER), leaf.bytes(COPENSSL_SERIAL),
      Hex.lower(facts.sha256), Hex.lower(facts.sha1),
      captures.contains(.pem) ? leaf.bytes(COPENSSL_PEM) : [],
      captures.contains(.chain) ? chain.flatMap { $0.bytes(COPENSSL_PEM) } : [],
    ].map { writer.add($0) }
    let names = SubjectNameKind.allCases.map { kind in
      var texts: [[UInt8]] = []
      leaf.eachName { found, name, _ in if found == kind { texts.append(name.array) } }
      return writer.add(texts)
    }
    let all = captures.contains(.chain) ? chain : []
    let serials = writer.add(all.map { $0.bytes(COPENSSL_SERIAL) })
    let digests = all.map { certificate in
      var facts = copenssl_facts()
      _ = copenssl_certificate_facts(certificate.pointer, &facts)
      return (Hex.lower(facts.sha256), Hex.lower(facts.sha1))
    }
    let sha256s = writer.add(digests.map(\.0))
    let sha1s = writer.add(digests.map(\.1))
    byteCount = writer.bytes.count
    block = .allocate(capacity: max(1, byteCount))
    block.update(from: writer.bytes, count: byteCount)
    let base = UnsafePointer(block)
    func view(_ range: Range<Int>) -> ByteView { ByteView(base + range.lowerBound, range.count) }
    subject = view(texts[0])
    issuer = view(texts[1])
    serial = view(texts[2])
    sha256 = view(texts[3])
    sha1 = view(texts[4])
    pem = view(texts[5])
    chainPEM = view(texts[6])
    emailNames = TextList(bytes: view(names[0]))
    dnsNames = TextList(bytes: view(names[1]))
    uriNames = TextList(bytes: view(names[2]))
    ipNames = TextList(bytes: view(names[3]))
    otherNames = TextList(bytes: view(names[4]))
    chainSerials = TextList(bytes: view(serials))
    chainSHA256 = TextList(bytes: view(sha256s))
    chainSHA1 = TextList(bytes: view(sha1s))
  }
}

/// Collects texts and remembers where they are.
private struct DetailsWriter {
  var bytes: [UInt8] = []

  mutating func add(_ text: [UInt8]) -> Range<Int> {
    let start = bytes.count
    bytes += text
    return start..<bytes.count
  }

  mutating func add(_ list: [[UInt8]]) -> Range<Int> {
    let start = bytes.count
    // A certificate message is at most 64 KiB, so a longer text does not come; it would be cut, not believed.
    for text in list.map({ $0.prefix(0xffff) }) {
      bytes += [UInt8(text.count >> 8), UInt8(text.count & 0xff)]
      bytes += text
    }
    return start..<bytes.count
  }
}

enum Hex {
  /// The bytes of a value as lower hex.
  static func lower<T: BitwiseCopyable>(_ value: T) -> [UInt8] {
    let digits = Array("0123456789abcdef".utf8)
    return withUnsafeBytes(of: value) { $0.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] } }
  }
}

extension Handshake {
  /// Facts of the peer's certificate, after ``Step/done``; nil when it has none. The owner frees them.
  ///
  /// A resumed connection knows the leaf alone, so its chain is one certificate.
  public func peerDetails(_ captures: PeerCaptures) -> PeerDetails? {
    var chain: [CertificateView] = []
    while let certificate = copenssl_handshake_peer_certificate(pointer, Int32(chain.count)) {
      chain.append(CertificateView(pointer: certificate))
    }
    return PeerDetails(chain, captures)
  }
}
