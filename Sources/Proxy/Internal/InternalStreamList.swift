/// Internal streams that belong to one request, linked through their exchanges. A stream is in one list at most.
struct InternalStreamList {
  private(set) var first: HTTPStreamRef?

  var isEmpty: Bool { first == nil }

  static func next(after stream: HTTPStreamRef) -> HTTPStreamRef? { exchange(stream)?.pointee.next }

  /// Whether there is one beside this.
  func hasOther(than stream: HTTPStreamRef) -> Bool {
    guard let first else { return false }
    return first != stream || Self.next(after: first) != nil
  }

  mutating func append(_ stream: HTTPStreamRef) {
    guard var last = first else {
      first = stream
      return
    }
    while let next = Self.next(after: last) { last = next }
    Self.exchange(last)?.pointee.next = stream
  }

  mutating func remove(_ stream: HTTPStreamRef) {
    let rest = Self.next(after: stream)
    Self.exchange(stream)?.pointee.next = nil
    if first == stream {
      first = rest
      return
    }
    var before = first
    while let other = before {
      let next = Self.next(after: other)
      if next == stream {
        Self.exchange(other)?.pointee.next = rest
        return
      }
      before = next
    }
  }

  private static func exchange(_ stream: HTTPStreamRef) -> InternalExchangeRef? {
    stream.pointee.terminalState?.assumingMemoryBound(to: InternalExchange.self)
  }
}
