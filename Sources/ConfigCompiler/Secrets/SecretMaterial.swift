import ConfigLoader
import ConfigSchema
import SwiftProtobuf

/// A secret as it was at one moment: what its file said, and what the files that it names held.
public struct SecretMaterial: Sendable {
  let secret: SecretProto
  let document: LoadedSecrets
  /// Where the secret stands in the document.
  let place: String
  let files: [String: Result<[UInt8], DataSourceReader.Failure>]

  var version: String { document.content.versionInfo }

  /// Of everything that is in it.
  var digest: [UInt8] {
    var content: [UInt8] = []
    for (name, bytes) in files.sorted(by: { $0.key < $1.key }) {
      content += name.utf8
      content.append(0)
      content += (try? bytes.get()) ?? []
      content.append(0)
    }
    return ContentDigest.of((try? secret.serializedBytes()) ?? [], content)
  }
}

/// Why there is no secret.
public struct SecretFailure: Error, Sendable {
  /// The file could not be read, or is no text of a kind that is known; else what it says is wrong.
  let isUnreadable: Bool
  package let diagnostics: [Diagnostic]
}

/// Secrets that were read, or why they could not be.
public typealias SecretBatch = [SecretKey: Result<SecretMaterial, SecretFailure>]
