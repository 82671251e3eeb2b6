import CSystem
import LoadBase
import LoadOrigin
import Primitives

/// `apus-load --origin`.
struct OriginCommand {
  private let plan: OriginPlan

  init(_ text: String, _ flags: OriginFlags, threads: Int, isGRPC: Bool) throws {
    guard let address = SocketAddress(text) else {
      throw UsageError(
        "--origin \(text): expected an address like 127.0.0.1:8080, [::1]:0 or unix:/path")
    }
    guard (1...256).contains(threads) else {
      throw UsageError("--threads \(threads): expected 1 to 256")
    }
    var plan = OriginPlan(address: address)
    plan.threads = threads
    plan.isChunked = flags.chunked
    plan.isEcho = flags.echo
    plan.isGRPC = isGRPC
    if let size = flags.size {
      plan.bodyBytes = try Quantity.bytes(size, option: "--size")
      guard plan.bodyBytes <= OriginPlan.bodyBytesMax else {
        throw UsageError("--size \(size): at most 1g")
      }
    }
    if let delay = flags.delay { plan.delay = try DelayDistribution(delay) }
    if let errors = flags.errors { plan.faults = try OriginFault.list(errors) }
    if let rate = flags.bodyRate {
      let bytes = try Quantity.bytes(rate, option: "--body-rate")
      guard bytes > 0 else { throw UsageError("--body-rate \(rate): expected at least 1") }
      plan.bodyRate = bytes
    }
    plan.identity = try OriginIdentity.read(flags, address: address)
    if flags.echo, let other = isGRPC ? "--grpc" : flags.httpFlag {
      throw UsageError("\(other) has no meaning with --echo")
    }
    self.plan = plan
  }

  /// Serves until a signal comes. Returns the exit status.
  func run() throws -> Int32 {
    _ = csystem_raise_open_files()
    let signals = Signals()
    let origin = try Origin(plan)
    Console.write("listening on \(origin.address)\n")
    while !signals.wait(milliseconds: -1) {}
    let served = origin.stop()
    Console.write(plan.isEcho ? "echoed \(served) bytes\n" : "served \(served) requests\n")
    return 0
  }
}
