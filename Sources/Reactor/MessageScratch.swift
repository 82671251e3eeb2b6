internal import Glibc

/// Message headers for sends of several segments. They are needed until the entries are submitted,
/// so the room is used anew every turn.
public final class MessageScratch {
  static let vectorsPerMessage = 32
  private static let messages = 128
  private let headers: UnsafeMutablePointer<msghdr>
  private let vectors: UnsafeMutablePointer<iovec>
  private var used = 0

  public init() {
    headers = .allocate(capacity: Self.messages)
    headers.initialize(repeating: msghdr(), count: Self.messages)
    vectors = .allocate(capacity: Self.messages * Self.vectorsPerMessage)
    vectors.initialize(repeating: iovec(), count: Self.messages * Self.vectorsPerMessage)
  }

  deinit {
    headers.deallocate()
    vectors.deallocate()
  }

  /// The entries of the turn have been submitted.
  public func reset() { used = 0 }

  /// A message over the first segments of `queue`; nil when the turn has used all the room.
  public func make(_ queue: SegmentQueue) -> UnsafeMutableRawPointer? {
    guard used < Self.messages else { return nil }
    let header = headers + used
    let list = vectors + used * Self.vectorsPerMessage
    used += 1
    var count = 0
    var segment = queue.head
    while let current = segment, count < Self.vectorsPerMessage {
      if current.pointee.count > 0 {
        list[count] = iovec(iov_base: current.pointee.base, iov_len: current.pointee.count)
        count += 1
      }
      segment = current.pointee.next
    }
    header.pointee.msg_iov = list
    header.pointee.msg_iovlen = count
    return UnsafeMutableRawPointer(header)
  }
}
