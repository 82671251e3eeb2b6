/// What the compiler must know of the process, beside the configuration itself.
public struct CompilerOptions: Sendable {
  /// As statistics name the workers: `worker_0`, `worker_1`...
  public var workerNames: [String]
  /// Override `node.cluster`, `node.id` and `node.locality.zone` unless empty.
  public var serviceCluster: String
  public var serviceNode: String
  public var serviceZone: String
  /// Directory that relative file names start from; empty for the working directory.
  public var baseDirectory: String
  /// Nanoseconds of the workers' clock.
  public var now: @Sendable () -> UInt64

  public init(
    workerNames: [String], serviceCluster: String = "", serviceNode: String = "",
    serviceZone: String = "", baseDirectory: String = "", now: @escaping @Sendable () -> UInt64 = { 0 }
  ) {
    self.workerNames = workerNames
    self.serviceCluster = serviceCluster
    self.serviceNode = serviceNode
    self.serviceZone = serviceZone
    self.baseDirectory = baseDirectory
    self.now = now
  }

  func resolved(_ path: String) -> String {
    path.hasPrefix("/") || baseDirectory.isEmpty ? path : baseDirectory + "/" + path
  }
}
