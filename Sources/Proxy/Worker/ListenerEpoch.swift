import Reactor

/// One version of a listener's configuration on one worker: pins it while connections use it.
///
/// A plain count, touched by this worker alone; the configuration itself is retained once an epoch.
struct ListenerEpoch {
  let config: Unmanaged<Frozen<ListenerConfig>>
  /// The same memory, without the reference count.
  let pointer: UnsafeMutablePointer<ListenerConfig>
  /// Open connections that were accepted under it.
  var connectionCount = 0
  /// Replaced or removed: its connections drain.
  var isDraining = false
  /// First of its connections.
  var first: ConnectionRef?

  init(_ config: Frozen<ListenerConfig>) {
    self.config = .passRetained(config)
    self.pointer = config.pointer
  }
}

/// A listening socket of one worker.
struct ListenerSocket {
  let fd: Int32
  let addressIndex: Int
  /// Tells completions of this socket from those of an earlier one in the same place.
  let generation: UInt32
  var isArmed = false
  var isClosing = false
  /// Index of the listener in the worker's list.
  var listener: Int
}

/// A listener on one worker: survives configuration changes as long as its name does.
struct ListenerRuntime {
  var name: String
  var epoch: UnsafeMutablePointer<ListenerEpoch>
  var isRemoved = false
  /// Removed, and all its sockets are closed: the place may be used again.
  var isRetired = false
}
