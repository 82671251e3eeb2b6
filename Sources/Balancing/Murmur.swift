import Primitives

/// MurmurHash64A (MurmurHash2, 64 bits, public domain), as libstdc++'s `std::hash` and Envoy's
/// `MURMUR_HASH_2` compute it.
@inlinable
public func murmurHash64A(_ view: ByteView, seed: UInt64 = 0xc70f_6907) -> UInt64 {
  let multiplier: UInt64 = 0xc6a4_a793_5bd1_e995
  @inline(__always) func mix(_ x: UInt64) -> UInt64 { x ^ (x >> 47) }
  let raw = UnsafeRawPointer(view.base)
  var hash = seed ^ (UInt64(view.count) &* multiplier)
  var at = 0
  while at &+ 8 <= view.count {
    let word = UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: at, as: UInt64.self))
    hash = (hash ^ (mix(word &* multiplier) &* multiplier)) &* multiplier
    at &+= 8
  }
  if at < view.count {
    var tail: UInt64 = 0
    var last = view.count
    while last > at {
      last &-= 1
      tail = tail << 8 | UInt64(view.base[last])
    }
    hash = (hash ^ tail) &* multiplier
  }
  hash = mix(hash) &* multiplier
  return mix(hash)
}
