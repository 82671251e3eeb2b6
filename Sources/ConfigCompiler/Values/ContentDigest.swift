/// Tells contents of a configuration apart. Not a secret, and nobody gains by a collision but who writes the configuration.
enum ContentDigest {
  static func of(_ first: [UInt8], _ second: [UInt8] = []) -> [UInt8] {
    var digest: [UInt8] = []
    for seed: UInt64 in [0xcbf2_9ce4_8422_2325, 0x9e37_79b9_7f4a_7c15, 0xc2b2_ae3d_27d4_eb4f, 0x1656_67b1_9e37_79f9] {
      var hash = seed
      for byte in first { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
      hash = (hash ^ 0xff) &* 0x100_0000_01b3
      for byte in second { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
      for shift in stride(from: 0, to: 64, by: 8) { digest.append(UInt8(truncatingIfNeeded: hash >> UInt64(shift))) }
    }
    return digest
  }
}
