// Reads inputs (four bytes of length, big endian, then the bytes) from standard input and prints what
// the HTTP/1 codec sees in each: one line of JSON an input. For tools/fuzz-differential.
import FuzzTargets
@preconcurrency import Glibc

func read(_ count: Int) -> [UInt8]? {
  var bytes = [UInt8](repeating: 0, count: count)
  return fread(&bytes, 1, count, stdin) == count ? bytes : nil
}

let inputBytesMax = 1 << 20
while let prefix = read(4) {
  let length = prefix.reduce(0) { $0 << 8 | Int($1) }
  guard length <= inputBytesMax, let input = read(length) else {
    fputs("http1-events: an input is cut short or above \(inputBytesMax) bytes\n", stderr)
    exit(1)
  }
  print(RequestEvents(input).json)
  fflush(stdout)
}
