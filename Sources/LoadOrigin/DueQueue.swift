/// What is due when: a binary heap, soonest first, with the precision of the clock.
///
/// Entries are not taken out when their connection goes; the serial number tells that they are stale.
struct DueQueue: ~Copyable {
  struct Entry {
    var due: UInt64
    var connection: OriginRef
    /// HTTP/2: what is due is one request's.
    var stream: OriginStreamRef?
    /// Of the stream, or of the connection.
    var serial: UInt32
  }

  private var entries: UnsafeMutablePointer<Entry>
  private var capacity = 256
  private(set) var count = 0

  init() { entries = .allocate(capacity: 256) }

  deinit { entries.deallocate() }

  /// When the first entry is due.
  var next: UInt64? { count > 0 ? entries[0].due : nil }

  mutating func insert(_ entry: Entry) {
    if count == capacity {
      let larger = UnsafeMutablePointer<Entry>.allocate(capacity: capacity * 2)
      larger.moveInitialize(from: entries, count: count)
      entries.deallocate()
      entries = larger
      capacity *= 2
    }
    var at = count
    count += 1
    (entries + at).initialize(to: entry)
    while at > 0 {
      let parent = (at - 1) / 2
      guard entries[at].due < entries[parent].due else { break }
      (entries[at], entries[parent]) = (entries[parent], entries[at])
      at = parent
    }
  }

  /// The first entry if it is due at `time`.
  mutating func popDue(_ time: UInt64) -> Entry? {
    guard count > 0, entries[0].due <= time else { return nil }
    let first = entries[0]
    count -= 1
    entries[0] = entries[count]
    var at = 0
    while true {
      var least = at
      for child in [at * 2 + 1, at * 2 + 2] where child < count {
        if entries[child].due < entries[least].due { least = child }
      }
      guard least != at else { return first }
      (entries[at], entries[least]) = (entries[least], entries[at])
      at = least
    }
  }
}
