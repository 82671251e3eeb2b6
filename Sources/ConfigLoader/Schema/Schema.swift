import ConfigSchema
import Foundation
import SwiftProtobuf

/// Every message and enum the configuration may hold, with the rules the schema states.
final class Schema: Sendable {
  let messages: [MessageType]
  let enums: [EnumType]
  private let messageIndices: [String: Int]

  /// Full names of the messages that may stand in a `google.protobuf.Any`, sorted.
  let extensionNames: [String]

  /// The schema that `ConfigSchema` embeds.
  static let embedded: Result<Schema, SchemaError> = Result { () throws(SchemaError) in
    let text = EmbeddedDescriptors.base64.description
    guard let data = Data(base64Encoded: text) else {
      throw SchemaError(message: "the embedded schema is not base64")
    }
    do {
      let files = try Google_Protobuf_FileDescriptorSet(
        serializedBytes: data, extensions: Apus_V1_Options_Extensions)
      return try Schema(files: files)
    } catch let error as SchemaError {
      throw error
    } catch {
      throw SchemaError(message: "the embedded schema cannot be read: \(error)")
    }
  }

  init(files: Google_Protobuf_FileDescriptorSet) throws(SchemaError) {
    var builder = SchemaBuilder()
    builder.index(files)
    (messages, enums) = try builder.build()
    messageIndices = builder.messageIndices
    extensionNames = messages.filter(\.isExtension).map(\.name).sorted()
  }

  func message(named name: String) -> MessageType? {
    messageIndices[name].map { messages[$0] }
  }
}

/// The embedded schema is unusable: the build of the program is at fault, not the configuration.
struct SchemaError: Error {
  let message: String
}
