internal import CSystem
internal import Glibc

/// A named POSIX thread that runs one function.
public final class NamedThread {
  private final class Start {
    let name: String
    let niceness: Int32
    let body: @Sendable () -> Void
    init(name: String, niceness: Int32, body: @escaping @Sendable () -> Void) {
      self.name = name
      self.niceness = niceness
      self.body = body
    }
  }

  private let handle: pthread_t

  /// - Parameters:
  ///   - name: At most 15 bytes are kept by the kernel.
  ///   - niceness: How much it steps back for others on its core: 0 = as the process does, 19 = most.
  /// - Returns: nil when the system has no thread to give.
  public init?(name: String, niceness: Int32 = 0, _ body: @escaping @Sendable () -> Void) {
    let start = Unmanaged.passRetained(Start(name: name, niceness: niceness, body: body))
    var handle = pthread_t()
    let code = pthread_create(
      &handle, nil,
      { raw in
        guard let raw else { return nil }
        let start = Unmanaged<Start>.fromOpaque(raw).takeRetainedValue()
        csystem_set_thread_name(start.name)
        if start.niceness > 0 { csystem_step_back(start.niceness) }
        start.body()
        return nil
      }, start.toOpaque())
    guard code == 0 else {
      start.release()
      return nil
    }
    self.handle = handle
  }

  /// Lets the thread end by itself.
  public func detach() { pthread_detach(handle) }

  public func join() { pthread_join(handle, nil) }
}
