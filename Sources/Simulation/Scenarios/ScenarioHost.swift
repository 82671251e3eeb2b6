/// A host of a scenario: HTTP/1.1, a line of requests, one answer.
final class ScenarioHost {
  let number: Int
  let script: ScriptedHost
  private let service: Scenario.Service
  private unowned let world: ScenarioWorld
  private var underWay = 0
  /// Work that waits.
  private var line: [() -> Void] = []
  private var lineAt = 0

  init(_ host: Scenario.Host, _ script: ScriptedHost, world: ScenarioWorld) {
    number = host.number
    service = host.service
    self.script = script
    self.world = world
  }

  func accept(_ socket: PeerSocket, isCheck: Bool) {
    script.accepted(socket)
    let reader = HTTPMessageReader()
    var isOver = false
    socket.onBytes = { if !isOver { reader.feed($0) } }
    socket.onEnd = {
      isOver = true
      socket.close()
    }
    socket.onReset = {
      isOver = true
      socket.close()
    }
    reader.onError = { [unowned self] in world.report("host \(number): \($0)") }
    reader.onHead = { [unowned self] head in
      if !isCheck { world.attempted(number, head) }
      return .none
    }
    reader.onMessageEnd = { [unowned self] _ in
      var planned = AnswerPlan()
      planned.body.framing = .length
      let answer = script.answer(planned)
      if isCheck { return say(answer, socket) }
      work { [unowned self] in
        // Whoever asked may be gone: the work is done all the same.
        if !isOver { say(answer, socket) }
      }
    }
  }

  private func say(_ answer: AnswerPlan, _ socket: PeerSocket) {
    let text = "HTTP/1.1 \(answer.status) Said\r\nx-host: \(number)\r\ncontent-length: 0\r\n\r\n"
    world.events.after(answer.delayNanoseconds) {
      switch answer.fate {
      case .whole: socket.send(text)
      case .silent, .garbage: break
      case .breaks: socket.abort()
      }
    }
  }

  private func work(_ done: @escaping () -> Void) {
    guard underWay < service.parallel else {
      line.append(done)
      return
    }
    underWay += 1
    world.events.after(service.nanoseconds) { [self] in
      underWay -= 1
      done()
      next()
    }
  }

  private func next() {
    guard lineAt < line.count, underWay < service.parallel else { return }
    let done = line[lineAt]
    lineAt += 1
    if lineAt == line.count {
      line = []
      lineAt = 0
    }
    work(done)
  }
}
