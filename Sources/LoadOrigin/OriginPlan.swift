public import LoadBase
public import Primitives
public import TLS

/// What an origin does to a fraction of the requests instead of answering them well.
public struct OriginFault: Sendable, Equatable {
  public enum Kind: Sendable, Equatable {
    /// Answers with this status and a short body.
    case status(UInt16)
    /// Resets the connection.
    case reset
    /// Closes the connection without an answer.
    case close
    /// Never answers.
    case silence
  }

  /// 0...1 of all requests.
  public var fraction: Double
  public var kind: Kind

  public init(fraction: Double, kind: Kind) {
    self.fraction = fraction
    self.kind = kind
  }

  /// A list like `1%:503,0.1%:reset`; what happens may also come first (`reset:0.1%`).
  public static func list(_ text: String) throws(UsageError) -> [OriginFault] {
    var faults: [OriginFault] = []
    for item in text.split(separator: ",") {
      let halves = item.split(separator: ":", maxSplits: 1).map(String.init)
      guard halves.count == 2 else { throw unclear(text) }
      let isFractionFirst = kind(halves[0]) == nil || halves[1].hasPrefix("reset")
      let (share, what) = isFractionFirst ? (halves[0], halves[1]) : (halves[1], halves[0])
      guard let kind = kind(what) else { throw unclear(text) }
      faults.append(
        OriginFault(fraction: try Quantity.fraction(share, option: "--errors"), kind: kind))
    }
    guard !faults.isEmpty else { throw unclear(text) }
    guard faults.reduce(0, { $0 + $1.fraction }) <= 1.000_001 else {
      throw UsageError("--errors \(text): the fractions add up to more than 100%")
    }
    return faults
  }

  private static func kind(_ text: String) -> Kind? {
    switch text {
    case "reset": return .reset
    case "close": return .close
    case "silence": return .silence
    default:
      guard let status = UInt16(text), (200..<600).contains(status) else { return nil }
      return .status(status)
    }
  }

  private static func unclear(_ text: String) -> UsageError {
    UsageError(
      "--errors \(text): expected fractions with a status, reset, close or silence, like"
        + " 1%:503,0.1%:reset")
  }
}

/// How an origin behaves.
public struct OriginPlan: Sendable {
  public var address: SocketAddress
  public var threads = 1
  /// Bytes of an answer's body.
  public var bodyBytes = 1024
  public var isChunked = false
  public var delay = DelayDistribution.none
  public var faults: [OriginFault] = []
  /// Bytes of a body sent a second on one connection; nil: as fast as it goes.
  public var bodyRate: Int?
  /// Answers requests over HTTP/2 as unary calls of gRPC.
  public var isGRPC = false
  /// Sends back what it gets, whatever it is.
  public var isEcho = false
  /// Its certificate when it speaks TLS.
  public var identity: TLSIdentity?
  public var seed: UInt64 = 1

  public init(address: SocketAddress) { self.address = address }

  /// Bytes of one answer's body.
  public static let bodyBytesMax = 1 << 30
}
