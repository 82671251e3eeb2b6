import ConfigCompiler
import Primitives

/// Sends bytes and waits for others (`tcp_health_check`).
package final class TCPDialogue: ProbeDialogue {
  private let tcp: ActiveCheck.TCP
  private var matcher: PayloadStreamMatch

  package init(_ tcp: ActiveCheck.TCP) {
    self.tcp = tcp
    matcher = PayloadStreamMatch(tcp.receive)
  }

  package func begin(isNew: Bool) -> (send: [UInt8], result: CheckResult?) {
    matcher = PayloadStreamMatch(tcp.receive)
    let header = isNew ? tcp.proxyProtocolVersion.map { Self.proxyHeader(version: $0) } ?? [] : []
    return (header + tcp.send, tcp.receive.isEmpty ? .passed("connected") : nil)
  }

  package func heard(_ bytes: ByteView) -> CheckResult? {
    matcher.take(bytes.buffer)
    return matcher.isComplete ? .passed("the bytes that were expected") : nil
  }

  /// Of a connection that the proxy makes for itself: UNKNOWN in version 1, LOCAL in version 2
  /// (haproxy.org/download/1.8/doc/proxy-protocol.txt, sections 2.1 and 2.2).
  static func proxyHeader(version: UInt8) -> [UInt8] {
    if version == 1 { return Array("PROXY UNKNOWN\r\n".utf8) }
    return [0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A, 0x20, 0x00, 0x00, 0x00]
  }
}

/// ``PayloadMatch`` over bytes that come in pieces; keeps no more of them than a block is long.
package struct PayloadStreamMatch {
  private let blocks: [[UInt8]]
  private var next = 0
  /// What may be the beginning of the next block.
  private var tail: [UInt8] = []

  package init(_ match: PayloadMatch) { blocks = match.blocks }

  package var isComplete: Bool { next == blocks.count }

  package mutating func take(_ bytes: some Sequence<UInt8>) {
    for byte in bytes {
      guard !isComplete else { return }
      tail.append(byte)
      let block = blocks[next]
      if tail.count > block.count { tail.removeFirst() }
      if tail == block {
        next += 1
        tail.removeAll(keepingCapacity: true)
      }
    }
  }
}
