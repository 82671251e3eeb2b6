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

  /// Warns of metadata that no operator, filter or setting reads. Whoever writes ours there is told where they belong.
  ///
  /// - Parameter path: Of what has them.
  func ignoreMetadata(_ path: String, if isSet: Bool) {
    ignore("\(path).metadata", if: isSet, "has no effect: only metadata of clusters, endpoints and routes are read")
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
