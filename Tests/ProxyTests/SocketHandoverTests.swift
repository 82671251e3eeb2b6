import Proxy
import Testing

/// Found by a simulated world: a listener that came and went between two turns of a worker kept its
/// socket, which took connections that nobody accepted.
struct SocketHandoverTests {
  @Test func socketsOfAnUnseenSnapshotAreMains() {
    var handover = SocketHandover([1])
    #expect(handover.published([1, 2], replacedUnread: false) == [])
    #expect(handover.published([1], replacedUnread: true) == [2])
    #expect(handover.published([1, 3], replacedUnread: true) == [])
    #expect(handover.published([1, 3, 4], replacedUnread: true) == [])
    #expect(handover.published([1], replacedUnread: true) == [3, 4])
  }

  @Test func socketsThatAWorkerHasAreItsOwn() {
    var handover = SocketHandover([1, 2])
    #expect(handover.published([1], replacedUnread: false) == [])
    #expect(handover.published([1, 3], replacedUnread: true) == [])
    #expect(handover.published([3], replacedUnread: false) == [])
    #expect(handover.published([], replacedUnread: true) == [])
  }
}
