import ConfigCompiler
import HostHealth
import Primitives

/// Asks a Redis server whether it is there, or whether a key is not (redis.io/docs/reference/protocol-spec).
package final class RedisDialogue: ProbeDialogue {
  /// The answers that are looked for are short; a longer line is none of them.
  private static let lineBytesMax = 1024

  private let key: String
  private var line: [UInt8] = []

  package init(_ redis: ActiveCheck.Redis) { key = redis.key }

  package func begin(isNew: Bool) -> (send: [UInt8], result: CheckResult?) {
    line.removeAll(keepingCapacity: true)
    return (Self.command(key.isEmpty ? ["PING"] : ["EXISTS", key]), nil)
  }

  static func command(_ words: [String]) -> [UInt8] {
    var text = "*\(words.count)\r\n"
    for word in words { text += "$\(word.utf8.count)\r\n\(word)\r\n" }
    return Array(text.utf8)
  }

  package func heard(_ bytes: ByteView) -> CheckResult? {
    line += bytes.prefix(Self.lineBytesMax - line.count).buffer
    guard let end = line.firstIndex(of: 0x0A) else {
      return line.count == Self.lineBytesMax ? .failed(.active, "not an answer of Redis") : nil
    }
    var answer = String(decoding: line[..<end], as: UTF8.self)
    if answer.hasSuffix("\r") { answer.removeLast() }
    if key.isEmpty {
      return answer == "+PONG" ? .passed("PONG") : .failed(.active, "\"\(answer.prefix(80))\", expected PONG")
    }
    return answer == ":0" ? .passed("the key is absent") : .failed(.active, "\"\(answer.prefix(80))\", expected :0")
  }
}
