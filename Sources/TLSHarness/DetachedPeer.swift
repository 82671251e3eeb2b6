import Primitives
import TLS

/// One side of an established connection whose records are protected by ``RecordProtection``.
package final class DetachedPeer {
  package var protection: RecordProtection
  package private(set) var reader: RecordReader
  package private(set) var output: [UInt8] = []
  package private(set) var received: [UInt8] = []
  /// What happened besides data, in order.
  package private(set) var events: [RecordReader.Event] = []
  private var input: [UInt8] = []

  /// Takes the connection over; nil when it cannot be detached.
  package convenience init?(_ peer: TLSPeer, library: TLSLibrary, isClient: Bool) {
    guard let protection = peer.handshake.detach(library) else { return nil }
    self.init(protection, isClient: isClient)
    input = peer.takeInput()
    output = peer.takeOutput()
  }

  package init(_ protection: RecordProtection, isClient: Bool) {
    self.protection = protection
    reader = RecordReader(isClient: isClient, isTLS13: protection.isTLS13)
  }

  deinit {
    protection.free()
  }

  package func takeOutput() -> [UInt8] {
    defer { output = [] }
    return output
  }

  package func takeReceived() -> [UInt8] {
    defer { received = [] }
    return received
  }

  package var isOver: Bool {
    switch events.last {
    case .closed, .failed, .broken: true
    default: false
    }
  }

  package func send(_ bytes: [UInt8], recordSize: Int = RecordHeader.plaintextBytesMax) {
    var left = bytes[...]
    while !left.isEmpty {
      append(Array(left.prefix(recordSize)), type: RecordHeader.applicationData)
      left = left.dropFirst(recordSize)
    }
  }

  /// Seals one record of any type.
  package func append(_ content: [UInt8], type: UInt8) {
    let count = protection.sealedCount(content.count)
    append(count) { protection, room in
      content.withUnsafeBufferPointer {
        protection.seal($0.baseAddress.map { ByteView($0, content.count) } ?? .empty, type: type, to: room)
      }
    }
  }

  package func close() { alert(.closeNotify, isFatal: false) }

  package func alert(_ alert: TLSAlert, isFatal: Bool) {
    append(RecordProtection.controlRecordBytesMax) { $0.sealAlert(alert, isFatal: isFatal, to: $1) }
  }

  package func updateKeys(asksForAnswer: Bool) {
    append(RecordProtection.controlRecordBytesMax) { $0.sealKeyUpdate(asksForAnswer: asksForAnswer, to: $1) }
  }

  private func append(
    _ countMax: Int, _ seal: (inout RecordProtection, UnsafeMutablePointer<UInt8>) -> Int
  ) {
    var room = [UInt8](repeating: 0, count: countMax)
    let count = room.withUnsafeMutableBufferPointer { seal(&protection, $0.baseAddress!) }
    output += room[..<count]
  }

  /// Opens every whole record, in place, its content in runs of at most `runSize` bytes.
  package func receive(_ bytes: some Collection<UInt8>, runSize: Int = .max) {
    var bytes = input + bytes
    input = []
    var at = 0
    while !isOver, bytes.count - at >= RecordHeader.count {
      guard let count = openRecord(&bytes, at: at, runSize: runSize) else { break }
      at += count
    }
    input = Array(bytes[at...])
  }

  /// Opens the record at an offset; nil when it is not whole, or wrong.
  private func openRecord(_ bytes: inout [UInt8], at: Int, runSize: Int) -> Int? {
    bytes.withUnsafeMutableBufferPointer { input in
      let base = input.baseAddress! + at
      let left = input.count - at
      let header: RecordHeader
      do throws(TLSAlert) { header = try protection.header(ByteView(base, left)) } catch {
        events.append(.broken(error))
        return nil
      }
      guard left >= RecordHeader.count + header.bodyCount else { return nil }
      let body = base + RecordHeader.count
      let content = body + protection.explicitNonceCount
      let contentCount = protection.contentCount(header)
      protection.beginOpen(header, explicitNonce: ByteView(body, protection.explicitNonceCount))
      var opened = 0
      while opened < contentCount {
        let run = min(runSize, contentCount - opened)
        protection.openRun(content + opened, run)
        opened += run
      }
      guard protection.endOpen(tag: ByteView(content + contentCount, RecordProtection.tagCount)) else {
        events.append(.broken(.badRecordMAC))
        return nil
      }
      take(header.type, ByteView(content, contentCount))
      return RecordHeader.count + header.bodyCount
    }
  }

  private func take(_ outerType: UInt8, _ content: ByteView) {
    var type = outerType
    var content = content
    if protection.isTLS13 {
      guard let inner = InnerContent(content) else {
        events.append(.broken(.unexpectedMessage))
        return
      }
      type = inner.type
      content = content.prefix(inner.count)
    }
    guard content.count <= RecordHeader.plaintextBytesMax else {
      events.append(.broken(.recordOverflow))
      return
    }
    let event =
      type == RecordHeader.applicationData
      ? reader.data(content.count) : reader.control(type: type, content: content, protection: &protection)
    switch event {
    case .data: received += content.buffer
    case .answerKeyUpdate:
      events.append(event)
      updateKeys(asksForAnswer: false)
    case .refuse(let alert):
      events.append(event)
      self.alert(alert, isFatal: false)
    case .nothing, .closed, .failed, .broken: events.append(event)
    }
  }
}
