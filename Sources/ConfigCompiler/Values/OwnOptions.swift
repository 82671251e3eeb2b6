import ConfigSchema
import SwiftProtobuf

/// `metadata.filter_metadata.apus`: settings that Envoy does not have. The loader has checked them.
extension CompilerPass {
  func clusterOptions(_ metadata: Envoy_Config_Core_V3_Metadata) -> Apus_V1_ClusterOptions {
    own(metadata, as: Apus_V1_ClusterOptions.self)
  }

  func routeOptions(_ metadata: Envoy_Config_Core_V3_Metadata) -> Apus_V1_RouteOptions {
    own(metadata, as: Apus_V1_RouteOptions.self)
  }

  private func own<Options: Message>(_ metadata: Envoy_Config_Core_V3_Metadata, as type: Options.Type) -> Options {
    guard let fields = metadata.filterMetadata["apus"], let text = try? fields.jsonString(),
      let options = try? Options(jsonString: text)
    else { return Options() }
    return options
  }
}
