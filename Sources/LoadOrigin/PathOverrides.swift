import HTTPCore
import LoadBase
import Primitives

/// Paths that ask for an answer of their own: `/delay/20ms`, `/status/503`, `/size/64k`, one after
/// another in any order. Other paths, and values that make no sense, get the usual answer.
enum PathOverrides {
  @inline(__always)
  static func apply(_ target: ByteView, to answer: inout OriginAnswer) {
    if target.count < 7 { return }
    switch target[1] {
    case UInt8(ascii: "d"), UInt8(ascii: "s"): applySlowly(target, to: &answer)
    default: break
    }
  }

  @inline(never)
  private static func applySlowly(_ target: ByteView, to answer: inout OriginAnswer) {
    guard
      target.hasPrefix(ByteView("/delay/")) || target.hasPrefix(ByteView("/status/"))
        || target.hasPrefix(ByteView("/size/"))
    else { return }
    let path = target.string.prefix { $0 != "?" }
    let parts = path.split(separator: "/")
    var at = 0
    while at + 1 < parts.count {
      let value = String(parts[at + 1])
      switch parts[at] {
      case "delay":
        if let delay = try? DelayDistribution(value) {
          var random = FastRandom(seed: 0)
          answer.delay = delay.draw(&random)
        }
      case "status":
        guard let status = UInt16(value) else { break }
        if (200..<600).contains(status) { answer.setStatus(status) }
        if status <= GRPCStatus.codeMax {
          answer.grpcStatus = GRPCStatus(code: UInt32(status))
          answer.isUsual = false
        }
      case "size":
        if let size = try? Quantity.bytes(value, option: ""), size <= OriginPlan.bodyBytesMax {
          answer.bodyBytes = size
          answer.isUsual = false
        }
      default: return
      }
      at += 2
    }
  }
}
