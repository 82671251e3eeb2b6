/// Streams that wait for their event, first come first served, linked through themselves.
struct StreamList {
  private var first: HTTP2StreamRef?
  private var last: HTTP2StreamRef?

  /// Which of a stream's links and marks the list uses.
  enum Kind { case closed, sent }
  private let kind: Kind

  init(_ kind: Kind) { self.kind = kind }

  var isEmpty: Bool { first == nil }

  mutating func append(_ stream: HTTP2StreamRef) {
    switch kind {
    case .closed:
      stream.pointee.nextClosed = nil
      stream.pointee.flags.insert(.isInClosedList)
      if let last { last.pointee.nextClosed = stream } else { first = stream }
    case .sent:
      stream.pointee.nextSent = nil
      stream.pointee.flags.insert(.isInSentList)
      if let last { last.pointee.nextSent = stream } else { first = stream }
    }
    last = stream
  }

  mutating func removeFirst() -> HTTP2StreamRef? {
    guard let stream = first else { return nil }
    switch kind {
    case .closed:
      first = stream.pointee.nextClosed
      stream.pointee.flags.remove(.isInClosedList)
    case .sent:
      first = stream.pointee.nextSent
      stream.pointee.flags.remove(.isInSentList)
    }
    if first == nil { last = nil }
    return stream
  }
}
