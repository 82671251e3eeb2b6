/// Curves of ECDSA certificates.
public struct CurveSet: OptionSet, BitwiseCopyable, Sendable, Hashable {
  public let rawValue: UInt8

  @inlinable
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  public static let p256 = CurveSet(rawValue: 1)
  public static let p384 = CurveSet(rawValue: 2)
  public static let p521 = CurveSet(rawValue: 4)
  public static let all: CurveSet = [.p256, .p384, .p521]
}
