/// Why a file is not a run that can be read.
public struct RunFileError: Error, Equatable, CustomStringConvertible {
  /// The path of the value, as in `intervals[3].p99_ns`; empty for the file itself.
  public let place: String
  public let problem: String

  public var description: String { place.isEmpty ? problem : "\(place): \(problem)" }
}
