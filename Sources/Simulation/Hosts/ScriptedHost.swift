/// A host that follows a script: its door, its connections, and what it makes of an answer.
final class ScriptedHost {
  let name: String
  private let script: HostScript
  private let network: VirtualNetwork
  private let startTime: UInt64
  private let dice: Dice
  private var sockets: [PeerSocket] = []
  private var isOver = false

  /// - Parameter startTime: When the script begins.
  init(_ name: String, _ script: HostScript, network: VirtualNetwork, startTime: UInt64, dice: Dice) {
    self.name = name
    self.script = script
    self.network = network
    self.startTime = startTime
    self.dice = dice
    for act in script.acts where act.deed == .gone {
      network.events.at(startTime + act.from) { [weak self] in self?.leave() }
    }
  }

  private func note(_ feature: Coverage.Feature) { network.coverage.note(feature) }

  private var deed: HostScript.Deed? {
    isOver ? nil : script.deed(at: network.events.now - startTime)
  }

  /// Does as it should from here on.
  func recover() { isOver = true }

  /// Takes part in what it does.
  func accepted(_ socket: PeerSocket) {
    if sockets.count >= 64 { sockets.removeAll { $0.isClosed || $0.isReset } }
    sockets.append(socket)
  }

  /// Lets go of connections.
  func dispose() { sockets = [] }

  private func leave() {
    if isOver { return }
    note(.hostGone)
    for socket in sockets where !socket.isReset { socket.abort() }
    sockets = []
  }

  /// What becomes of whoever wants to connect.
  var door: VirtualNetwork.Door {
    switch deed {
    case .refuses, .gone:
      note(.hostRefuses)
      return .refusing
    case .blackhole:
      note(.hostUnreachable)
      return .unanswering
    case .slow, .fails, .resets, .silent, nil: return .open
    }
  }

  /// The answer to a request that comes now.
  func answer(_ planned: AnswerPlan) -> AnswerPlan {
    var answer = planned
    switch deed {
    case .slow(let nanoseconds):
      note(.hostSlow)
      answer.delayNanoseconds += nanoseconds
    case .fails(let probability) where dice.chance(probability):
      note(.hostFails)
      answer = AnswerPlan()
      answer.status = 503
      answer.body.framing = .length
      answer.body.count = 20
      answer.isFailure = true
      answer.delayNanoseconds = planned.delayNanoseconds
    case .resets(let count):
      note(.hostResets)
      answer.fate = .breaks(after: count, resets: true)
    case .silent, .blackhole:
      note(.hostSilent)
      answer.fate = .silent
    case .fails, .refuses, .gone, nil: break
    }
    return answer
  }
}
