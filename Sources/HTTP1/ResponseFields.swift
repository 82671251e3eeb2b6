import HTTPCore
import Primitives

/// What the fields of a complete response head mean for framing and the connection.
enum ResponseFields {
  @inline(__always)
  static func apply(
    _ base: UnsafePointer<UInt8>, _ method: RequestMethod, _ head: inout ResponseHead,
    _ table: inout FieldTable
  ) -> HTTP1Error? {
    var length: UInt64 = 0
    var lengthCount = 0
    var encodingCount = 0
    var encodingIsChunked = false
    var connection = ConnectionOptions()
    var i = 0
    while i < table.specialCount {
      let index = Int(table.specials[i])
      let field = table.fields[index]
      let value = ByteView(base + Int(field.valueStart), Int(field.valueLength))
      switch field.known {
      case .contentLength:
        lengthCount &+= 1
        if lengthCount > 1 { return .conflictingLength }
        switch ContentLength.parse(value) {
        case .success(let number): length = number
        case .failure(let error): return error
        }
      case .transferEncoding:
        encodingCount &+= 1
        encodingIsChunked = value.count == 7 && value.equalsIgnoringCase("chunked")
        table.fields[index].flags.insert(.dropped)
      case .connection:
        guard connection.add(value) else { return .badConnectionOption }
        table.fields[index].flags.insert(.dropped)
      case .upgrade:
        table.fields[index].flags.insert(.upgrade)
      case .keepAlive, .proxyConnection, .te:
        table.fields[index].flags.insert(.dropped)
      default: break  // Host and Expect mean nothing here
      }
      i &+= 1
    }
    if connection.nominationCount > 0, !dropNominated(base, &table) { return .badConnectionOption }

    head.saysClose = connection.close || (head.isHTTP10 && !connection.keepAlive)
    head.keepAlive = !head.saysClose
    return frame(
      &head, &table, method, length: lengthCount > 0 ? length : nil,
      encodingCount: encodingCount, encodingIsChunked: encodingIsChunked)
  }

  @inline(never)
  private static func dropNominated(
    _ base: UnsafePointer<UInt8>, _ table: inout FieldTable
  ) -> Bool {
    for i in 0..<table.specialCount {
      let field = table.fields[Int(table.specials[i])]
      guard field.known == .connection else { continue }
      let value = ByteView(base + Int(field.valueStart), Int(field.valueLength))
      if !ConnectionOptions.markNominated(by: value, in: &table, head: base) { return false }
    }
    return true
  }

  /// RFC 9112 section 6.3.
  @inline(__always)
  private static func frame(
    _ head: inout ResponseHead, _ table: inout FieldTable, _ method: RequestMethod,
    length: UInt64?, encodingCount: Int, encodingIsChunked: Bool
  ) -> HTTP1Error? {
    head.framing = .none
    head.isTunnel = false
    if encodingCount > 0 {
      if head.isHTTP10 { return .transferEncodingInHTTP10 }
      if encodingCount > 1 || !encodingIsChunked { return .unsupportedTransferEncoding }
      if length != nil { return .lengthAndChunked }
    }
    let isSuccessOfConnect = method == .connect && head.status / 100 == 2
    if head.status < 200 || head.status == 204 || isSuccessOfConnect {
      if !isSuccessOfConnect {
        if encodingCount > 0 { return .transferEncodingNotAllowed }
        if let length, length > 0 { return .lengthNotAllowed }
      }
      if length != nil { table.drop(.contentLength) }
      if isSuccessOfConnect || head.status == 101 {
        head.framing = .untilClose
        head.isTunnel = true
        head.keepAlive = false
      }
      return nil
    }
    if method == .head || head.status == 304 { return nil }
    if encodingCount > 0 {
      head.framing = .chunked
    } else if let length {
      if length > 0 { head.framing = .length(length) }
    } else {
      head.framing = .untilClose
      head.keepAlive = false
    }
    return nil
  }
}
