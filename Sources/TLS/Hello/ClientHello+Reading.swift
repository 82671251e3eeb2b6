import Primitives

extension ClientHello {
  private enum Extension {
    static let serverName = 0
    static let statusRequest = 5
    static let supportedGroups = 10
    static let signatureAlgorithms = 13
    static let protocols = 16
    static let supportedVersions = 43
  }

  /// Reads the message behind its header; false when it breaks a rule.
  mutating func read(_ body: ByteView) -> Bool {
    var cursor = ByteCursor(body)
    guard let version = cursor.uint16(), version >> 8 == 3, cursor.take(32) != nil,
      let session = cursor.vector8(), session.count <= 32,
      let suites = cursor.vector16(), suites.count >= 2, suites.count % 2 == 0,
      let compressions = cursor.vector8(), compressions.count >= 1
    else { return false }
    // TLS 1.3 is offered by an extension only (RFC 8446, section 4.2.1).
    versionMax = min(UInt16(version), 0x0303)
    var facts = KeyFacts()
    facts.offersECDSA = Self.offersECDSA(suites)
    // Hellos before TLS 1.2 may end here.
    if !cursor.isAtEnd {
      guard let extensions = cursor.onlyVector16(), readExtensions(extensions, &facts) else { return false }
    }
    curvesOfTLS13 = facts.signatureCurves
    curvesOfTLS12 = facts.offersECDSA ? facts.groups ?? .all : []
    return true
  }

  /// What says which certificates the client can check.
  private struct KeyFacts {
    var offersECDSA = false
    /// Curves of `supported_groups`, nil without it.
    var groups: CurveSet?
    /// Curves of `signature_algorithms`, which TLS 1.3 binds to the hash.
    var signatureCurves: CurveSet = []
  }

  private mutating func readExtensions(_ bytes: ByteView, _ facts: inout KeyFacts) -> Bool {
    var cursor = ByteCursor(bytes)
    var seen: UInt64 = 0
    while !cursor.isAtEnd {
      guard let type = cursor.uint16(), let content = cursor.vector16() else { return false }
      if type < 64 {
        // Two of a kind are forbidden (RFC 8446, section 4.2), and two readers might take different ones.
        guard seen >> UInt64(type) & 1 == 0 else { return false }
        seen |= 1 << UInt64(type)
      }
      guard readExtension(type, content, &facts) else { return false }
    }
    return true
  }

  private mutating func readExtension(_ type: Int, _ content: ByteView, _ facts: inout KeyFacts) -> Bool {
    var cursor = ByteCursor(content)
    switch type {
    case Extension.serverName:
      // One name of type host_name; the list has never held anything else.
      guard let list = cursor.onlyVector16() else { return false }
      var entries = ByteCursor(list)
      guard entries.uint8() == 0, let name = entries.onlyVector16(), name.count > 0, name.count <= 255,
        name.firstIndex(of: 0) == nil
      else { return false }
      serverName = name
    case Extension.protocols:
      guard let list = cursor.onlyVector16(), list.count > 0 else { return false }
      var entries = ByteCursor(list)
      while !entries.isAtEnd {
        guard let entry = entries.vector8(), entry.count > 0 else { return false }
      }
      protocols = list
    case Extension.supportedVersions:
      guard let list = cursor.vector8(), cursor.isAtEnd, list.count >= 2 else { return false }
      return Self.eachUInt16(list) { version in
        // Anything else is a version to come, or one made up to keep servers tolerant (RFC 8701).
        if version >= 0x0300, version <= 0x0304 { versionMax = max(versionMax, UInt16(version)) }
      }
    case Extension.supportedGroups:
      guard let list = cursor.onlyVector16(), list.count >= 2 else { return false }
      var curves: CurveSet = []
      defer { facts.groups = curves }
      return Self.eachUInt16(list) { group in
        switch group {
        case 23: curves.insert(.p256)
        case 24: curves.insert(.p384)
        case 25: curves.insert(.p521)
        default: break
        }
      }
    case Extension.signatureAlgorithms:
      guard let list = cursor.onlyVector16(), list.count >= 2 else { return false }
      return Self.eachUInt16(list) { algorithm in
        switch algorithm {
        case 0x0403: facts.signatureCurves.insert(.p256)
        case 0x0503: facts.signatureCurves.insert(.p384)
        case 0x0603: facts.signatureCurves.insert(.p521)
        default: break
        }
      }
    case Extension.statusRequest:
      guard let type = cursor.uint8() else { return false }
      wantsStaple = type == 1
    default: break
    }
    return true
  }

  /// Calls `body` for each pair of bytes; false when one is left over.
  @inline(__always)
  private static func eachUInt16(_ list: ByteView, _ body: (Int) -> Void) -> Bool {
    guard list.count % 2 == 0 else { return false }
    var at = 0
    while at < list.count {
      body(Int(list[at]) << 8 | Int(list[at + 1]))
      at += 2
    }
    return true
  }

  /// Whether a cipher suite of TLS 1.2 signs with ECDSA.
  private static func offersECDSA(_ suites: ByteView) -> Bool {
    var found = false
    _ = eachUInt16(suites) { suite in
      switch suite {
      case 0xc006...0xc00a, 0xc023, 0xc024, 0xc02b, 0xc02c, 0xc072, 0xc073, 0xc0ac...0xc0af, 0xcca9: found = true
      default: break
      }
    }
    return found
  }
}
