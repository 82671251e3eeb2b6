import HostHealth

/// The latest result of a host's active checks that was not a pass, for whoever must say why there is no host.
public struct HostCheckNote: Sendable, Hashable {
  /// 0 = there was none.
  let word: UInt32

  init(word: UInt32 = 0) { self.word = word }

  /// - Parameter status: The answer's; 0 without one.
  public init(_ failure: CheckFailure, status: UInt16) {
    word = 1 << 31 | UInt32(failure.rawValue) << 16 | UInt32(status)
  }

  var isKnown: Bool { word != 0 }
  var status: UInt16 { UInt16(truncatingIfNeeded: word) }

  var words: StaticString {
    switch CheckFailure(rawValue: UInt8(truncatingIfNeeded: word >> 16)) {
    case .active: "a wrong answer"
    case .passive: "it said so itself"
    case .network: "no connection"
    case .networkTimeout: "no answer in time"
    case nil: "unknown"
    }
  }
}

/// Why a host is ejected and until when.
public struct HostEjectionNote: Sendable, Hashable {
  /// 0 = it is not.
  let word: UInt64

  init(word: UInt64 = 0) { self.word = word }

  /// - Parameter untilMilliseconds: Of the monotonic clock.
  public init(_ kind: EjectionKind, untilMilliseconds: UInt64) {
    word = 1 << 63 | UInt64(kind.rawValue) << 48 | untilMilliseconds & (1 << 48 - 1)
  }

  public static let none = HostEjectionNote()

  var isKnown: Bool { word != 0 }
  var untilMilliseconds: UInt64 { word & (1 << 48 - 1) }
  var kindName: StaticString {
    EjectionKind(rawValue: UInt8(truncatingIfNeeded: word >> 48 & 0x7F))?.statName ?? "unknown"
  }
}
