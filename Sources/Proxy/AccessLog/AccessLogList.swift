import Format
import Primitives

/// The access logs of a listener, a connection manager or a TCP proxy.
public struct AccessLogList {
  /// One log: where it goes, what it says, and which requests it is for.
  public struct Entry {
    /// Index of the file at the log writer.
    public var target: UInt16
    public let formatter: Formatter
    public let filter: AccessLogFilter?
    let program: FormatProgram
    let filterReference: Unmanaged<AccessLogFilter>?

    public init(target: UInt16, formatter: Formatter, filter: AccessLogFilter?) {
      self.target = target
      self.formatter = formatter
      self.filter = filter
      self.program = formatter.program
      self.filterReference = filter.map { .passUnretained($0) }
    }
  }

  let entries: FrozenList<Entry>

  public init(_ entries: [Entry] = []) { self.entries = FrozenList(entries) }

  @inline(__always)
  var isEmpty: Bool { entries.buffer.isEmpty }
}
