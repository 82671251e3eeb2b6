import Primitives

/// Names of servers as clients send them.
public enum ServerName {
  /// Longest name, in bytes.
  public static let bytesMax = 255

  /// Copies a name in lower case.
  ///
  /// - Parameter to: Room for ``bytesMax``.
  /// - Returns: Bytes copied; 0 for what is no host name: bytes other than letters, digits, `-`, `_` and `.`.
  public static func copyLowerCased(_ name: ByteView, to: UnsafeMutablePointer<UInt8>) -> Int {
    guard name.count <= bytesMax else { return 0 }
    var i = 0
    while i < name.count {
      let byte = ASCII.lowercase(name[i])
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"),
        UInt8(ascii: "_"), UInt8(ascii: "."):
        to[i] = byte
      default: return 0
      }
      i += 1
    }
    return name.count
  }
}
