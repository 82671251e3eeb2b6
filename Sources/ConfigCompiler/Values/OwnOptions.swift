import ConfigSchema
import SwiftProtobuf

/// `metadata.filter_metadata.apus`: settings that Envoy does not have. The loader has checked them.
extension CompilerPass {
  /// - Parameter path: Of the metadata.
  func clusterOptions(_ metadata: Envoy_Config_Core_V3_Metadata, _ path: String) -> Apus_V1_ClusterOptions {
    own(metadata, as: Apus_V1_ClusterOptions.self, path)
  }

  /// - Parameter path: Of the metadata.
  func routeOptions(_ metadata: Envoy_Config_Core_V3_Metadata, _ path: String) -> Apus_V1_RouteOptions {
    own(metadata, as: Apus_V1_RouteOptions.self, path)
  }

  private func own<Options: Message>(
    _ metadata: Envoy_Config_Core_V3_Metadata, as type: Options.Type, _ path: String
  ) -> Options {
    guard let fields = metadata.filterMetadata["apus"] else { return Options() }
    do { return try Options(jsonString: fields.jsonString()) } catch {
      // A struct holds numbers that JSON has no words for.
      self.error("\(path).filter_metadata[\"apus\"]", "cannot be read: a number in it is infinite or none")
      return Options()
    }
  }
}
