import HTTPCore
import Primitives

extension HTTP1Writer {
  /// Bytes that suffice for ``writeChunkHead(_:to:)``.
  public static let chunkHeadSize = 18
  /// What follows a chunk's data.
  public static let chunkEnd: StaticString = "\r\n"
  /// The end of chunked content without trailers.
  public static let lastChunk: StaticString = "0\r\n\r\n"

  /// Writes a chunk line.
  /// - Parameter size: Bytes of the chunk; 0 would end the content, see ``lastChunk``.
  /// - Returns: Bytes written.
  public static func writeChunkHead(_ size: UInt64, to target: UnsafeMutablePointer<UInt8>) -> Int {
    var count = Decimal.writeHex(size, to: target)
    target[count] = 13
    target[count &+ 1] = 10
    count &+= 2
    return count
  }

  /// Bytes that suffice for ``writeLastChunk(_:properCase:to:)``.
  public static func lastChunkSize(_ trailers: HeaderMap) -> Int {
    fieldBytes(trailers) &+ 5
  }

  /// Writes the last chunk and the trailer section, without the fields that have no place in it: trailers
  /// of HTTP/2 are not sorted out when they come.
  /// - Returns: Bytes written.
  public static func writeLastChunk(
    _ trailers: HeaderMap, properCase: Bool = false,
    to target: UnsafeMutablePointer<UInt8>
  ) -> Int {
    var cursor = WireCursor(target)
    cursor.put("0\r\n")
    for i in 0..<trailers.slotCount {
      let field = trailers[slot: i]
      if field.isRemoved || isIn(connectionFields, field.known)
        || HTTP1Trailers.isForbidden(field.known, field.name)
      {
        continue
      }
      if properCase {
        cursor.properCaseField(field.name, field.value)
      } else {
        cursor.field(field.name, field.value)
      }
    }
    cursor.lineEnd()
    return cursor.at - target
  }
}
