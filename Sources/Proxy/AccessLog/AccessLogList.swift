import Format
import Primitives

/// The access logs of a listener, a connection manager or a TCP proxy.
public struct AccessLogList {
  /// One log: where it goes, what it says, and which requests it is for.
  public struct Entry {
    /// Index of the file at the log writer.
    public var target: UInt16
    public var formatter: Formatter
    public var filter: AccessLogFilter?
    let program: FormatProgram

    public init(target: UInt16, formatter: Formatter, filter: AccessLogFilter?) {
      self.target = target
      self.formatter = formatter
      self.filter = filter
      self.program = formatter.program
    }
  }

  let entries: FrozenList<Entry>

  public init(_ entries: [Entry] = []) { self.entries = FrozenList(entries) }

  @inline(__always)
  var isEmpty: Bool { entries.buffer.isEmpty }
}
