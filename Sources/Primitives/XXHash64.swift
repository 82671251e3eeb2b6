/// xxHash64 (the XXH64 algorithm, public specification), as Envoy's hash policies use it.
@inlinable
public func xxHash64(_ view: ByteView, seed: UInt64 = 0) -> UInt64 {
  let p1: UInt64 = 0x9E37_79B1_85EB_CA87
  let p2: UInt64 = 0xC2B2_AE3D_27D4_EB4F
  let p3: UInt64 = 0x1656_67B1_9E37_79F9
  let p4: UInt64 = 0x85EB_CA77_C2B2_AE63
  let p5: UInt64 = 0x27D4_EB2F_1656_67C5
  @inline(__always) func rotate(_ x: UInt64, _ n: UInt64) -> UInt64 { x << n | x >> (64 &- n) }
  @inline(__always) func round(_ acc: UInt64, _ lane: UInt64) -> UInt64 {
    rotate(acc &+ lane &* p2, 31) &* p1
  }
  let raw = UnsafeRawPointer(view.base)
  @inline(__always) func word(_ at: Int) -> UInt64 {
    UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: at, as: UInt64.self))
  }
  var at = 0
  var hash: UInt64
  if view.count >= 32 {
    var a = seed &+ p1 &+ p2
    var b = seed &+ p2
    var c = seed
    var d = seed &- p1
    while at &+ 32 <= view.count {
      a = round(a, word(at))
      b = round(b, word(at &+ 8))
      c = round(c, word(at &+ 16))
      d = round(d, word(at &+ 24))
      at &+= 32
    }
    hash = rotate(a, 1) &+ rotate(b, 7) &+ rotate(c, 12) &+ rotate(d, 18)
    hash = (hash ^ round(0, a)) &* p1 &+ p4
    hash = (hash ^ round(0, b)) &* p1 &+ p4
    hash = (hash ^ round(0, c)) &* p1 &+ p4
    hash = (hash ^ round(0, d)) &* p1 &+ p4
  } else {
    hash = seed &+ p5
  }
  hash &+= UInt64(view.count)
  while at &+ 8 <= view.count {
    hash = rotate(hash ^ round(0, word(at)), 27) &* p1 &+ p4
    at &+= 8
  }
  if at &+ 4 <= view.count {
    let lane = UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: at, as: UInt32.self))
    hash = rotate(hash ^ (UInt64(lane) &* p1), 23) &* p2 &+ p3
    at &+= 4
  }
  while at < view.count {
    hash = rotate(hash ^ (UInt64(view.base[at]) &* p5), 11) &* p1
    at &+= 1
  }
  hash = (hash ^ (hash >> 33)) &* p2
  hash = (hash ^ (hash >> 29)) &* p3
  return hash ^ (hash >> 32)
}
