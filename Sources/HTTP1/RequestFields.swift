import HTTPCore
import Primitives

/// What the fields of a complete request head mean for routing, framing and the connection.
enum RequestFields {
  /// What was found among the fields that matter here.
  private struct Found {
    var host: UInt32 = 0
    var hostCount = 0
    var length: UInt64 = 0
    var lengthCount = 0
    var encodingCount = 0
    var encodingIsChunked = false
    var hasUpgrade = false
    var connection = ConnectionOptions()
  }

  @inline(__always)
  static func apply(
    _ base: UnsafePointer<UInt8>, _ head: inout RequestHead, _ table: inout FieldTable,
    _ options: HTTP1RequestOptions
  ) -> HTTP1Error? {
    head.framing = .none
    head.keepAlive = !head.isHTTP10
    head.expectContinue = false
    head.isUpgrade = false
    head.hasConnectionNominations = false
    if table.hasUnderscores, options.underscores != .allow {
      if let error = applyUnderscores(&table, options.underscores) { return error }
    }
    // Most requests have nothing but Host.
    if table.specialCount == 1, table.fields[Int(table.specials[0])].known == .host {
      return applyHost(base, &head, &table, table.specials[0])
    }
    return applyAll(base, &head, &table, options)
  }

  private static func applyUnderscores(
    _ table: inout FieldTable, _ policy: UnderscorePolicy
  ) -> HTTP1Error? {
    for i in 0..<table.count where table.fields[i].flags.contains(.underscore) {
      if policy == .reject { return .underscoreName }
      table.fields[i].flags.insert(.dropped)
    }
    return nil
  }

  @inline(__always)
  private static func applyHost(
    _ base: UnsafePointer<UInt8>, _ head: inout RequestHead, _ table: inout FieldTable,
    _ index: UInt32
  ) -> HTTP1Error? {
    let field = table.fields[Int(index)]
    table.fields[Int(index)].flags = .dropped
    let start = Int(field.valueStart)
    if field.valueLength != 0 {
      let valid = Authority.isValid(
        base, start, start &+ Int(field.valueLength), readable: Int(head.length), port: .optional)
      if !valid { return .badHost }
    }
    if head.form == .absolute || head.form == .authority { return nil }  // the target's wins
    // An http URI has a host (RFC 9110 section 4.2.1); only HTTP/1.0 may leave it to a default.
    if field.valueLength == 0, !head.isHTTP10 { return .missingHost }
    head.authorityStart = field.valueStart
    head.authorityLength = field.valueLength
    return nil
  }

  @inline(never)
  private static func applyAll(
    _ base: UnsafePointer<UInt8>, _ head: inout RequestHead, _ table: inout FieldTable,
    _ options: HTTP1RequestOptions
  ) -> HTTP1Error? {
    var found = Found()
    if let error = collect(base, &head, &table, &found) { return error }

    if found.hostCount == 0 {
      if !head.isHTTP10 { return .missingHost }
    } else if found.hostCount > 1 {
      return .multipleHosts
    } else if let error = applyHost(base, &head, &table, found.host) {
      return error
    }
    if let error = frame(&head, &table, found, options) { return error }

    let connection = found.connection
    if connection.close {
      head.keepAlive = false
    } else if head.isHTTP10 {
      head.keepAlive = connection.keepAlive
    }
    head.isUpgrade = connection.upgrade && found.hasUpgrade && !head.isHTTP10
    if head.isHTTP10 { head.expectContinue = false }
    if connection.nominationCount > 0 {
      head.hasConnectionNominations = true
      var i = 0
      while i < table.specialCount {
        let field = table.fields[Int(table.specials[i])]
        if field.known == .connection {
          let value = ByteView(base + Int(field.valueStart), Int(field.valueLength))
          guard ConnectionOptions.markNominated(by: value, in: &table, head: base) else {
            return .badConnectionOption
          }
        }
        i &+= 1
      }
    }
    return nil
  }

  @inline(__always)
  private static func collect(
    _ base: UnsafePointer<UInt8>, _ head: inout RequestHead, _ table: inout FieldTable,
    _ found: inout Found
  ) -> HTTP1Error? {
    var trailersSeen = false
    var i = 0
    while i < table.specialCount {
      let index = Int(table.specials[i])
      let field = table.fields[index]
      let value = ByteView(base + Int(field.valueStart), Int(field.valueLength))
      switch field.known {
      case .host:
        found.host = UInt32(truncatingIfNeeded: index)
        found.hostCount &+= 1
      case .contentLength:
        found.lengthCount &+= 1
        if found.lengthCount > 1 { return .conflictingLength }
        switch ContentLength.parse(value) {
        case .success(let length): found.length = length
        case .failure(let error): return error
        }
      case .transferEncoding:
        found.encodingCount &+= 1
        found.encodingIsChunked = value.count == 7 && value.equalsIgnoringCase("chunked")
        table.fields[index].flags.insert(.dropped)
      case .connection:
        guard found.connection.add(value) else { return .badConnectionOption }
        table.fields[index].flags.insert(.dropped)
      case .upgrade:
        if !value.isEmpty { found.hasUpgrade = true }
        table.fields[index].flags.insert(.upgrade)
      case .te:
        let keep = !trailersSeen && TransferCoding.acceptsTrailers(value)
        table.fields[index].flags.insert(keep ? .trailersAccepted : .dropped)
        trailersSeen = trailersSeen || keep
      case .expect:
        if value.equalsIgnoringCase("100-continue") { head.expectContinue = true }
      default:  // keep-alive, proxy-connection
        table.fields[index].flags.insert(.dropped)
      }
      i &+= 1
    }
    return nil
  }

  @inline(__always)
  private static func frame(
    _ head: inout RequestHead, _ table: inout FieldTable, _ found: Found,
    _ options: HTTP1RequestOptions
  ) -> HTTP1Error? {
    if found.encodingCount > 0 {
      if head.isHTTP10 { return .transferEncodingInHTTP10 }
      if found.encodingCount > 1 || !found.encodingIsChunked { return .unsupportedTransferEncoding }
      if found.lengthCount > 0 {
        if !options.allowChunkedLength { return .lengthAndChunked }
        table.drop(.contentLength)
        // RFC 9112 section 6.1: the connection must not be reused after such a request.
        head.keepAlive = false
      }
      head.framing = .chunked
    } else if found.length > 0 {
      head.framing = .length(found.length)
    }
    if head.method == .connect {
      if head.framing != .none { return .connectWithBody }
      if found.lengthCount > 0 { table.drop(.contentLength) }
    }
    return nil
  }
}

extension FieldTable {
  /// Marks every field of this name as not for the next hop.
  mutating func drop(_ known: KnownHeader) {
    for i in 0..<count where fields[i].known == known { fields[i].flags.insert(.dropped) }
  }
}
