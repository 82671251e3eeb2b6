import CURing
import Glibc
import Primitives
import Reactor

extension SimulatedKernel {
  /// Takes every submitted entry; returns how many there were.
  func submit() -> Int {
    var count = 0
    while let entry = memory.nextSubmission() {
      count += 1
      if count == memory.entryCount { coverage.note(.submissionQueueFull) }
      start(entry.pointee)
    }
    memory.submissionsTaken()
    return count
  }

  private func start(_ entry: io_uring_sqe) {
    let operation = io_uring_op(rawValue: UInt32(entry.opcode))
    trace.record(
      6, events.now, UInt64(entry.opcode), UInt64(bitPattern: Int64(entry.fd)), entry.user_data,
      text: "\(events.now) submits \(Self.name(operation)) \(Self.shown(entry.user_data)) on \(entry.fd)")
    switch operation {
    case IORING_OP_ACCEPT: startAccept(entry)
    case IORING_OP_RECV: startReceive(entry)
    case IORING_OP_SEND: startSend(entry, isMessage: false)
    case IORING_OP_SENDMSG: startSend(entry, isMessage: true)
    case IORING_OP_CONNECT: startConnect(entry)
    case IORING_OP_CLOSE: startClose(entry)
    case IORING_OP_SHUTDOWN: startShutdown(entry)
    case IORING_OP_ASYNC_CANCEL: startCancel(entry)
    case IORING_OP_POLL_ADD: startPoll(entry)
    case IORING_OP_MSG_RING:
      message(to: entry.fd, userData: curing_sqe_off(entry), result: entry.len)
      post(entry.user_data, 0, what: "message")
    default: preconditionFailure("operation \(entry.opcode) is not simulated")
    }
  }

  private static func name(_ operation: io_uring_op) -> String {
    switch operation {
    case IORING_OP_ACCEPT: "accept"
    case IORING_OP_RECV: "receive"
    case IORING_OP_SEND: "send"
    case IORING_OP_SENDMSG: "send of a message"
    case IORING_OP_CONNECT: "connect"
    case IORING_OP_CLOSE: "close"
    case IORING_OP_SHUTDOWN: "shutdown"
    case IORING_OP_ASYNC_CANCEL: "cancel"
    case IORING_OP_POLL_ADD: "poll"
    case IORING_OP_MSG_RING: "message"
    default: "operation \(operation.rawValue)"
    }
  }

  /// Adds an operation to its descriptor, or completes it with an error when that is not open.
  private func begin(_ entry: io_uring_sqe, _ kind: Operation.Kind, _ what: String) -> Operation? {
    guard let socket = socket(entry.fd, what) else {
      post(entry.user_data, -EBADF, what: what)
      return nil
    }
    let operation = Operation(userData: entry.user_data, socket: socket, kind: kind)
    socket.operations.append(operation)
    return operation
  }

  /// Looks at an operation a little later, unless that is planned already.
  func schedule(_ operation: Operation) {
    guard !operation.isScheduled, !operation.isOver else { return }
    operation.isScheduled = true
    var delay = UInt64(dice.within(0...Int(faults.completionDelayMax)))
    if dice.chance(faults.lateCompletion) {
      coverage.note(.lateCompletion)
      delay += UInt64(dice.within(1...200)) * Time.millisecond
    }
    events.after(delay) { [self] in
      operation.isScheduled = false
      guard !operation.isOver else { return }
      proceed(operation)
    }
  }

  private func proceed(_ operation: Operation) {
    switch operation.kind {
    case .accept: proceedAccept(operation)
    case .receive(let group, let isMultishot):
      proceedReceive(operation, group: group, isMultishot: isMultishot)
    case .send(let state): proceedSend(operation, state)
    case .poll(let isRead): proceedPoll(operation, isRead: isRead)
    case .connect: break
    case .shutdown:
      if let connection = operation.socket.connection, !connection.toPeer.isReset {
        connection.toPeer.end()
        finish(operation, 0, "shutdown")
      } else {
        finish(operation, -ENOTCONN, "shutdown")
      }
    }
  }

  /// Posts the last completion of an operation.
  func finish(_ operation: Operation, _ result: Int32, flags: UInt32 = 0, _ what: String) {
    operation.isOver = true
    operation.socket.operations.removeAll { $0 === operation }
    post(operation.userData, result, flags: flags, what: what)
  }

  // MARK: Start

  private func startAccept(_ entry: io_uring_sqe) {
    guard let operation = begin(entry, .accept, "accept") else { return }
    guard let listener = operation.socket.listener else {
      return finish(operation, -EINVAL, "accept")
    }
    precondition(
      UInt32(entry.ioprio) == CURING_ACCEPT_MULTISHOT, "only multishot accepts are simulated")
    let socket = operation.socket
    listener.onClient = { [unowned self, unowned socket] in
      for operation in socket.operations where operation.isAccept { schedule(operation) }
    }
    if !listener.waiting.isEmpty { schedule(operation) }
  }

  private func startReceive(_ entry: io_uring_sqe) {
    precondition(
      entry.flags == curing_sqe_buffer_select, "only receives with provided buffers are simulated")
    let options = UInt32(entry.ioprio)
    precondition(options & ~(CURING_RECV_MULTISHOT | CURING_RECVSEND_POLL_FIRST) == 0, "receive options")
    let kind = Operation.Kind.receive(
      group: curing_sqe_buf_group(entry), isMultishot: options & CURING_RECV_MULTISHOT != 0)
    guard let operation = begin(entry, kind, "receive") else { return }
    let socket = operation.socket
    if socket.operations.contains(where: { $0 !== operation && $0.isReceive }) {
      report("two receives on descriptor \(entry.fd)")
    }
    guard let pipe = socket.connection?.toProxy else {
      return finish(operation, -ENOTCONN, "receive")
    }
    watch(socket)
    if !pipe.arrived.isEmpty || pipe.isEnded || pipe.isReset { schedule(operation) }
  }

  private func startSend(_ entry: io_uring_sqe, isMessage: Bool) {
    guard curing_sqe_op_flags(entry) == UInt32(MSG_NOSIGNAL) | UInt32(MSG_WAITALL) else {
      preconditionFailure("send flags \(curing_sqe_op_flags(entry)) are not simulated")
    }
    var runs: [(base: UnsafePointer<UInt8>, count: Int)] = []
    let address = UInt(curing_sqe_addr(entry))
    if isMessage, let header = UnsafePointer<msghdr>(bitPattern: address) {
      // The header and the list are read now; the bytes when they go out.
      for i in 0..<Int(header.pointee.msg_iovlen) {
        let vector = header.pointee.msg_iov[i]
        if let base = vector.iov_base {
          runs.append((UnsafePointer(base.assumingMemoryBound(to: UInt8.self)), vector.iov_len))
        }
      }
    } else if let base = UnsafePointer<UInt8>(bitPattern: address) {
      runs.append((base, Int(entry.len)))
    }
    let kind = Operation.Kind.send(Operation.SendState(runs.filter { $0.count > 0 }))
    guard let operation = begin(entry, kind, "send") else { return }
    let socket = operation.socket
    if socket.operations.contains(where: { $0 !== operation && $0.isSend }) {
      report("two sends on descriptor \(entry.fd)")
    }
    if socket.isShutDown { report("a send after the direction was ended on descriptor \(entry.fd)") }
    guard socket.connection != nil else { return finish(operation, -ENOTCONN, "send") }
    watch(socket)
    schedule(operation)
  }

  private func startPoll(_ entry: io_uring_sqe) {
    let events = curing_sqe_op_flags(entry)
    precondition(
      entry.len == 0 && (events == UInt32(POLLIN) || events == UInt32(POLLOUT)), "poll options")
    guard let operation = begin(entry, .poll(isRead: events == UInt32(POLLIN)), "poll") else { return }
    let socket = operation.socket
    if socket.connection == nil { report("a poll on descriptor \(entry.fd), which is not connected") }
    if operation.waitsForInput, socket.operations.contains(where: \.isReceive) {
      report("a poll beside a receive on descriptor \(entry.fd)")
    }
    watch(socket)
    schedule(operation)
  }

  /// What happens in the network makes the descriptor's operations go on.
  private func watch(_ socket: VirtualSocket) {
    guard let connection = socket.connection else { return }
    connection.toProxy.onArrival = { [unowned self, unowned socket] in
      for operation in socket.operations where operation.waitsForInput { schedule(operation) }
    }
    connection.toPeer.onRoom = { [unowned self, unowned socket] in
      for operation in socket.operations where operation.waitsForRoom { schedule(operation) }
    }
  }

  private func startClose(_ entry: io_uring_sqe) {
    closeDescriptor(entry.fd)
    if entry.flags & curing_sqe_cqe_skip_success == 0 { post(entry.user_data, 0, what: "close") }
  }

  private func startShutdown(_ entry: io_uring_sqe) {
    precondition(entry.len == UInt32(SHUT_WR), "only SHUT_WR is simulated")
    guard let operation = begin(entry, .shutdown, "shutdown") else { return }
    operation.socket.isShutDown = true
    if operation.socket.operations.contains(where: { $0.isSend }) {
      report("shutdown with a send in flight on descriptor \(entry.fd)")
    }
    schedule(operation)
  }

  // MARK: Connect

  private func startConnect(_ entry: io_uring_sqe) {
    guard let operation = begin(entry, .connect, "connect") else { return }
    guard let raw = UnsafeRawPointer(bitPattern: UInt(curing_sqe_addr(entry))),
      let address = SocketAddress(raw, length: Int(curing_sqe_off(entry)))
    else { return finish(operation, -EINVAL, "connect") }
    let delay = UInt64(dice.within(1000...Int(faults.latencyMax) + 2000))
    if dice.chance(faults.connectUnanswered) {
      coverage.note(.connectUnanswered)
      fail(operation, ETIMEDOUT, after: 127 * Time.second)
    } else if dice.chance(faults.connectRefused) {
      coverage.note(.connectRefused)
      fail(operation, ECONNREFUSED, after: delay)
    } else if dice.chance(faults.connectUnreachable) {
      coverage.note(.connectUnreachable)
      fail(operation, EHOSTUNREACH, after: delay)
    } else {
      events.after(delay) { [self] in
        guard !operation.isOver else { return }
        let own = SocketAddress.ip(
          IPAddress(v4: 0x0A00_0001), port: UInt16(truncatingIfNeeded: 30_000 + Int(entry.fd)))
        switch network.connectOrigin(address, from: own, isCheck: makesChecks) {
        case .refused: finish(operation, -ECONNREFUSED, "connect")
        case .unanswered: fail(operation, ETIMEDOUT, after: 127 * Time.second)
        case .taken(let connection):
          operation.socket.kind = .stream(connection)
          finish(operation, 0, "connect")
        }
      }
    }
  }

  private func fail(_ operation: Operation, _ code: Int32, after delay: UInt64) {
    events.after(delay) { [self] in
      if !operation.isOver { finish(operation, -code, "connect") }
    }
  }

  // MARK: Cancel

  private func startCancel(_ entry: io_uring_sqe) {
    if curing_sqe_op_flags(entry) == CURING_ASYNC_CANCEL_FD | CURING_ASYNC_CANCEL_ALL {
      guard let socket = socket(entry.fd, "cancel") else {
        post(entry.user_data, -EBADF, what: "cancel")
        return
      }
      let all = socket.operations
      for operation in all { cancel(operation) }
      post(entry.user_data, Int32(all.count), what: "cancel")
      return
    }
    precondition(curing_sqe_op_flags(entry) == 0, "cancel options")
    guard let operation = operation(curing_sqe_addr(entry)) else {
      post(entry.user_data, -ENOENT, what: "cancel")
      return
    }
    cancel(operation)
    post(entry.user_data, 0, what: "cancel")
  }

  /// Ends an operation; data that is there may be reported first.
  private func cancel(_ operation: Operation) {
    guard !operation.isOver else { return }
    if dice.chance(faults.cancelRace) {
      switch operation.kind {
      case .receive, .accept, .poll:
        let before = completionCount
        proceed(operation)
        if operation.isReceive, completionCount > before { coverage.note(.cancelledReceiveHasData) }
      case .send, .connect, .shutdown: break
      }
      guard !operation.isOver else { return }
    }
    switch operation.kind {
    case .accept: coverage.note(.cancelledAccept)
    case .send: coverage.note(.cancelledSend)
    case .connect: coverage.note(.cancelledConnect)
    case .poll: coverage.note(.cancelledPoll)
    case .receive, .shutdown: break
    }
    if case .send(let state) = operation.kind, state.sent > 0 {
      return finish(operation, Int32(state.sent), "cancelled send")
    }
    finish(operation, -ECANCELED, "cancelled operation")
  }
}
