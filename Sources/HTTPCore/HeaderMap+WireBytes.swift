import Primitives

extension HeaderMap {
  /// Bytes of all names and values: what HTTP/2 carries before compression.
  public var wireBytes: Int {
    var total = 0
    for i in 0..<slotCount where !self[slot: i].isRemoved {
      total &+= self[slot: i].name.count &+ self[slot: i].value.count
    }
    return total
  }
}
