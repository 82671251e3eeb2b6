public import LoadBase

/// The content that requests carry.
public enum RequestBody: Equatable, Sendable {
  case none
  case bytes([UInt8])
  /// Made-up bytes, a number of them drawn anew for each request, both ends included.
  case size(Int, Int)

  /// Bytes of one body: what memory has to be set aside.
  public static let bytesMax = 256 << 20
}

/// One kind of request and how often it is sent compared with others.
public struct RequestPlan: Sendable {
  public var weight: Double
  public var method: String
  /// Of the Host field.
  public var authority: String
  public var path: String
  public var headers: [Header]
  public var body: RequestBody

  public struct Header: Equatable, Sendable {
    public var name: String
    public var value: String

    public init(name: String, value: String) {
      self.name = name
      self.value = value
    }

    /// `Name: value`.
    public init(_ text: String) throws(UsageError) {
      guard let colon = text.firstIndex(of: ":"), colon != text.startIndex else {
        throw UsageError("-H '\(text)': expected 'Name: value'")
      }
      name = String(text[..<colon])
      value = String(text[text.index(after: colon)...].drop { $0 == " " })
    }
  }

  public init(
    weight: Double = 1, method: String = "GET", authority: String, path: String,
    headers: [Header] = [], body: RequestBody = .none
  ) {
    self.weight = weight
    self.method = method
    self.authority = authority
    self.path = path
    self.headers = headers
    self.body = body
  }
}
