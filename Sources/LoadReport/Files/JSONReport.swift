import FoundationEssentials

/// A run as JSON, on one line, keys in alphabetical order. Reads back as an equal run.
public enum JSONReport {
  /// - Throws: ``RunFileError`` when a rate of the run is not a number.
  public static func text(_ run: RunResult) throws(RunFileError) -> String {
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do {
      return String(decoding: try encoder.encode(RunDocument(run)), as: UTF8.self) + "\n"
    } catch {
      throw RunFileError(place: "", problem: "the run has a rate that is not a number")
    }
  }
}

extension RunResult {
  /// Reads what ``JSONReport`` wrote. Keys that are not known are skipped.
  /// - Throws: ``RunFileError`` with the place of what is missing or makes no sense.
  public init(json bytes: [UInt8]) throws(RunFileError) {
    guard bytes.count <= RunLimits.fileBytes else {
      throw RunFileError(place: "", problem: "the file is larger than \(RunLimits.fileBytes >> 20) MiB")
    }
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    let document: RunDocument
    do {
      document = try decoder.decode(RunDocument.self, from: Data(bytes))
    } catch {
      throw RunFileError(decoding: error)
    }
    self = try document.run()
  }
}

extension RunFileError {
  fileprivate init(decoding error: any Error) {
    switch error as? DecodingError {
    case .keyNotFound(let key, let context):
      self.init(place: Self.path(context.codingPath + [key]), problem: "is missing")
    case .valueNotFound(_, let context):
      self.init(place: Self.path(context.codingPath), problem: "must not be null")
    case .typeMismatch(_, let context):
      self.init(place: Self.path(context.codingPath), problem: "is not of the right type")
    case .dataCorrupted(let context) where !context.codingPath.isEmpty:
      self.init(place: Self.path(context.codingPath), problem: "is not a number that fits")
    case .dataCorrupted, nil:
      self.init(place: "", problem: "not a JSON document")
    @unknown default:
      self.init(place: "", problem: "not a JSON document")
    }
  }

  private static func path(_ keys: [any CodingKey]) -> String {
    keys.reduce("") { path, key in
      if let index = key.intValue { return "\(path)[\(index)]" }
      return path.isEmpty ? snake(key.stringValue) : "\(path).\(snake(key.stringValue))"
    }
  }

  /// `durationNs` as the file calls it: `duration_ns`.
  private static func snake(_ name: String) -> String {
    name.reduce("") { $1.isUppercase ? "\($0)_\($1.lowercased())" : "\($0)\($1)" }
  }
}
