/// A request that asks to leave HTTP, and what is said then.
struct TunnelPlan {
  enum Kind: Equatable {
    /// `Upgrade`, or extended CONNECT (RFC 8441) over HTTP/2.
    case upgrade(String)
    /// CONNECT that the proxy sends on.
    case passedOn
    /// CONNECT that ends at the proxy: a TCP connection to a host.
    case endsHere
  }

  /// Authorities of the two.
  static let passedOn = "passed.sim:1"
  static let endsHere = "ended.sim:1"
  /// An upgrade that the configuration does not allow.
  static let forbidden = "forbidden"

  var kind: Kind
  /// The host answers as to any request.
  var isRefused = false
  /// The client does not wait for the answer before it speaks.
  var speaksEarly = false
  var clientStream: TCPStream
  var hostStream: TCPStream
  var clientHabit: TCPParty.Habit
  var hostHabit: TCPParty.Habit

  var upgradeType: String? { if case .upgrade(let type) = kind { type } else { nil } }

  /// What says yes over HTTP/1.
  var acceptance: Int { upgradeType == nil ? 200 : 101 }
}
