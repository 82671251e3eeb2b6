import ConfigSchema

typealias SecretProto = Envoy_Extensions_TransportSockets_Tls_V3_Secret
typealias SecretConfigProto = Envoy_Extensions_TransportSockets_Tls_V3_SdsSecretConfig

/// Which secret of which file; what one is read and counted by.
public struct SecretKey: Hashable, Sendable {
  public let name: String
  public let path: String
  /// Whatever is moved in here has the file read again, instead of the file's own replacement.
  let watchedDirectory: String?

  package init(name: String, path: String) {
    self.name = name
    self.path = path
    watchedDirectory = nil
  }

  /// Nil for a secret of the configuration itself.
  init?(_ proto: SecretConfigProto) {
    guard proto.hasSdsConfig else { return nil }
    name = proto.name
    switch proto.sdsConfig.configSourceSpecifier {
    case .path(let path):
      self.path = path
      watchedDirectory = nil
    case .pathConfigSource(let source):
      path = source.path
      watchedDirectory = source.hasWatchedDirectory ? source.watchedDirectory.path : nil
    case nil: return nil
    }
  }
}

extension SecretKey: Comparable {
  public static func < (a: SecretKey, b: SecretKey) -> Bool { (a.name, a.path) < (b.name, b.path) }
}

/// What has to be watched for changes: one name in a directory, or whatever is moved into it.
public struct WatchedPlace: Hashable, Sendable {
  public var directory: String
  /// nil = every name.
  public var name: String?

  init(directory: String) { self.directory = directory }

  init(file path: String) {
    directory = Self.directory(of: path)
    name = String(path[(path.lastIndex(of: "/").map { path.index(after: $0) } ?? path.startIndex)...])
  }

  static func directory(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }
}

/// What a change of a ``WatchedPlace`` is about.
public enum WatchedSubject: Hashable, Sendable {
  /// The file that holds a secret.
  case secret(SecretKey)
  /// Files that a secret names.
  case secretFiles(SecretKey)
  /// Files that the configuration names.
  case configuration
}
