/// How a peer uses TLS: drawn once a connection.
struct TLSHabits {
  /// What it does instead of going on, when so many bytes of its own are on the way.
  enum Break {
    /// A fatal alert, then the end.
    case alert
    /// Bytes that are no record.
    case garbage
    /// Nothing more, and no end.
    case silence
  }

  /// Most plaintext in one record.
  var recordMax = 16_384
  /// New keys before something is sent, in TLS 1.3.
  var keyUpdate = 0.0
  /// Ends its direction without saying so (close_notify).
  var omitsClose = false
  var breaks: (after: Int, how: Break)?

  /// - Parameter endsProperly: Nothing is broken, as between two peers whose records the proxy only passes on.
  init(_ dice: Dice, isCalm: Bool, endsProperly: Bool) {
    if dice.chance(0.3) { recordMax = dice.skewed(1...8000) }
    if dice.chance(0.3) { keyUpdate = 0.2 }
    if endsProperly { return }
    omitsClose = dice.chance(0.2)
    if !isCalm, dice.chance(0.12) { breaks = (dice.skewed(0...3000), dice.pick([.alert, .garbage, .silence])) }
  }
}
