#if canImport(Glibc)
  import Glibc
#endif

/// Constants of the process that formats may show; read once, when a format is compiled.
public struct FormatEnvironment: Sendable {
  public var hostname: String
  public var variable: @Sendable (String) -> String?

  public init(hostname: String, variable: @escaping @Sendable (String) -> String?) {
    self.hostname = hostname
    self.variable = variable
  }

  /// The real ones.
  public static var process: FormatEnvironment {
    var name = [CChar](repeating: 0, count: 256)
    let isKnown = gethostname(&name, name.count - 1) == 0
    let text = String(
      decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return FormatEnvironment(
      hostname: isKnown ? text : "-",
      variable: { key in getenv(key).map { String(cString: $0) } })
  }
}
