import Glibc
import Reactor
import Synchronization
import Testing

private func niceOfThisThread() -> Int32 { getpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0) }

@Suite struct NamedThreadTests {
  @Test(arguments: [0, 7] as [Int32])
  func niceness(_ niceness: Int32) throws {
    let own = niceOfThisThread()
    let seen = Atomic<Int>(.min)
    let thread = try #require(
      NamedThread(name: "test", niceness: niceness) {
        seen.store(Int(niceOfThisThread()), ordering: .relaxed)
      })
    thread.join()
    #expect(seen.load(ordering: .relaxed) == Int(min(19, own + niceness)))
    #expect(niceOfThisThread() == own)
  }
}
