// libFuzzer's program: `tools/fuzz` builds and runs it. The target's name is in APUS_FUZZ_TARGET, so
// that libFuzzer's own arguments, and the processes it starts itself, stay as they are.
import FuzzTargets
import Glibc

typealias Callback = @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt

@_silgen_name("LLVMFuzzerRunDriver")
func runDriver(
  _ count: UnsafeMutablePointer<CInt>,
  _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
  _ callback: Callback
) -> CInt

let wanted = getenv("APUS_FUZZ_TARGET").map { String(cString: $0) } ?? ""
if wanted == "list" {
  for target in FuzzTarget.all { print(target.name, target.bytesMax) }
  exit(0)
}
/// A C callback has no context of its own.
nonisolated(unsafe) var chosen: FuzzTarget?

chosen = FuzzTarget.named(wanted)
if chosen == nil {
  print("APUS_FUZZ_TARGET names no target: \"\(wanted)\"")
  exit(2)
}

var count = CommandLine.argc
var arguments = CommandLine.unsafeArgv
exit(
  runDriver(&count, &arguments) { base, size in
    guard let target = chosen else { fatalError("no target") }
    let bytes = Array(UnsafeBufferPointer(start: base, count: size))
    do {
      try target.run(bytes)
    } catch {
      fatalError("property violated: \(error)")
    }
    return 0
  })
