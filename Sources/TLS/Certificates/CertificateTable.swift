import Primitives

/// When a server sends OCSP responses (Envoy's `ocsp_staple_policy`).
public enum StaplePolicy: Sendable {
  /// When there is one that is not too old.
  case lenient
  /// The same, but a certificate whose response is too old is not used.
  case strict
  /// A certificate without one is not used.
  case must
}

/// Chooses the certificate for a hello, by Envoy's rules: name, then kind of key, then OCSP.
///
/// Made once for a configuration; a choice is two lookups and allocates nothing.
public struct CertificateTable: Sendable {
  /// What of a certificate takes part.
  public struct Entry: Sendable {
    /// Names in lower case, `*.example.com` for all of one label.
    public var serverNames: [String]
    /// nil: not ECDSA.
    public var curve: CurveSet?
    public var mustStaple = false
    /// When its OCSP response is too old, in seconds since 1970; nil without a response.
    public var stapleEnds: Int64?

    public init(serverNames: [String], curve: CurveSet?) {
      self.serverNames = serverNames
      self.curve = curve
    }
  }

  public struct Choice: Equatable, Sendable {
    /// Of the certificate; nil when none may be used (OCSP).
    public let index: Int?
    /// Whether its OCSP response is to be sent.
    public let sendsStaple: Bool
  }

  /// The first certificate of each kind of key that has a name; -1 for none.
  private struct Named {
    var ecdsa: Int32 = -1
    var other: Int32 = -1
  }

  private let entries: [Entry]
  private let policy: StaplePolicy
  private let scansAll: Bool
  /// Open addressing by the hash of the name: offset and length in `text`, length 0 for a free slot.
  private var slots: [(offset: UInt32, count: UInt32, named: Named)]
  private var text: [UInt8] = []

  /// - Parameter scansAll: Whether all certificates take part when a name fits none, instead of the first alone.
  public init(_ entries: [Entry], policy: StaplePolicy = .lenient, scansAll: Bool = false) {
    self.entries = entries
    self.policy = policy
    self.scansAll = scansAll
    let names = entries.reduce(0) { $0 + $1.serverNames.count }
    var size = 8
    while size < names * 2 { size *= 2 }
    slots = Array(repeating: (0, 0, Named()), count: size)
    for (index, entry) in entries.enumerated() {
      for name in entry.serverNames where !name.isEmpty { insert(Array(name.utf8), index, entry) }
    }
  }

  private mutating func insert(_ name: [UInt8], _ index: Int, _ entry: Entry) {
    let at = name.withUnsafeBufferPointer { slot(ByteView($0.baseAddress!, $0.count)) }
    if slots[at].count == 0 {
      slots[at].offset = UInt32(text.count)
      slots[at].count = UInt32(name.count)
      text += name
    }
    if entry.curve != nil {
      if slots[at].named.ecdsa < 0 { slots[at].named.ecdsa = Int32(index) }
    } else if slots[at].named.other < 0 {
      slots[at].named.other = Int32(index)
    }
  }

  /// Where a name is, or would be.
  private func slot(_ name: ByteView) -> Int {
    var at = Int(truncatingIfNeeded: xxHash64(name, seed: 0)) & (slots.count - 1)
    while slots[at].count != 0 {
      let found = slots[at]
      let isSame = text.withUnsafeBufferPointer { text in
        ByteView(text.baseAddress! + Int(found.offset), Int(found.count)) == name
      }
      if isSame { break }
      at = (at + 1) & (slots.count - 1)
    }
    return at
  }

  /// The certificate for a hello.
  ///
  /// - Parameter serverName: In lower case; empty without one.
  /// - Parameter curves: Of ECDSA certificates that the client can check (``ClientHello/ecdsaCurves(serverVersionMax:)``).
  /// - Parameter now: Seconds since 1970.
  public func choose(serverName: ByteView, curves: CurveSet, wantsStaple: Bool, now: Int64) -> Choice {
    if let named = find(serverName) {
      return best(of: CollectionOfTwo(named.ecdsa, named.other), curves, wantsStaple, now)
    }
    // Without a name there is nothing to go by but the kind of key.
    return best(of: 0..<(scansAll || serverName.isEmpty ? entries.count : min(1, entries.count)), curves, wantsStaple, now)
  }

  private func find(_ name: ByteView) -> Named? {
    guard name.count > 0 else { return nil }
    let exact = slots[slot(name)]
    if exact.count != 0 { return exact.named }
    guard let dot = name.firstIndex(of: UInt8(ascii: ".")), dot > 0 else { return nil }
    // `*` for the first label: written over the byte in front of the dot.
    return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: name.count - dot + 1) { room in
      room[0] = UInt8(ascii: "*")
      for i in dot..<name.count { room[i - dot + 1] = name[i] }
      let wild = slots[slot(ByteView(room.baseAddress!, name.count - dot + 1))]
      return wild.count != 0 ? wild.named : nil
    }
  }

  /// ECDSA that the client can check, else one that is not ECDSA, else any.
  private func best(of candidates: some Sequence<Int>, _ curves: CurveSet, _ wantsStaple: Bool, _ now: Int64) -> Choice {
    var found: (rank: Int, index: Int, sendsStaple: Bool)?
    for index in candidates where index >= 0 {
      let entry = entries[index]
      guard let sendsStaple = staple(entry, wantsStaple, now) else { continue }
      let rank = entry.curve.map { curves.isSuperset(of: $0) ? 2 : 0 } ?? 1
      if rank > found?.rank ?? -1 { found = (rank, index, sendsStaple) }
    }
    return Choice(index: found?.index, sendsStaple: found?.sendsStaple ?? false)
  }

  /// Whether the response is sent; nil when the certificate may not be used.
  private func staple(_ entry: Entry, _ wantsStaple: Bool, _ now: Int64) -> Bool? {
    guard wantsStaple else { return false }
    if let ends = entry.stapleEnds, ends > now { return true }
    switch entry.mustStaple ? .must : policy {
    case .lenient: return false
    case .strict: return entry.stapleEnds == nil ? false : nil
    case .must: return nil
    }
  }
}

/// Two indexes as a sequence that lives in registers.
private struct CollectionOfTwo: Sequence, IteratorProtocol {
  private var first: Int?
  private var second: Int?

  init(_ first: Int32, _ second: Int32) {
    self.first = Int(first)
    self.second = Int(second)
  }

  mutating func next() -> Int? {
    if let value = first {
      first = nil
      return value
    }
    defer { second = nil }
    return second
  }
}
