import ConfigSchema
import SwiftProtobuf

/// The messages that may stand in a `google.protobuf.Any` of the configuration.
public enum ExtensionTypes {
  public static let all: [any Message.Type] = [
    Envoy_Config_Metrics_V3_StatsdSink.self,
    Envoy_Config_Metrics_V3_DogStatsdSink.self,
    Envoy_Config_Route_V3_FilterConfig.self,
    Envoy_Extensions_AccessLoggers_File_V3_FileAccessLog.self,
    Envoy_Extensions_AccessLoggers_Stream_V3_StdoutAccessLog.self,
    Envoy_Extensions_AccessLoggers_Stream_V3_StderrAccessLog.self,
    Envoy_Extensions_Filters_Http_Buffer_V3_Buffer.self,
    Envoy_Extensions_Filters_Http_Buffer_V3_BufferPerRoute.self,
    Envoy_Extensions_Filters_Http_Cors_V3_Cors.self,
    Envoy_Extensions_Filters_Http_Cors_V3_CorsPolicy.self,
    Envoy_Extensions_Filters_Http_Fault_V3_HTTPFault.self,
    Envoy_Extensions_Filters_Http_HeaderMutation_V3_HeaderMutation.self,
    Envoy_Extensions_Filters_Http_HeaderMutation_V3_HeaderMutationPerRoute.self,
    Envoy_Extensions_Filters_Http_HealthCheck_V3_HealthCheck.self,
    Envoy_Extensions_Filters_Http_Router_V3_Router.self,
    Envoy_Extensions_Filters_Listener_HttpInspector_V3_HttpInspector.self,
    Envoy_Extensions_Filters_Listener_ProxyProtocol_V3_ProxyProtocol.self,
    Envoy_Extensions_Filters_Listener_TlsInspector_V3_TlsInspector.self,
    Envoy_Extensions_Filters_Network_ConnectionLimit_V3_ConnectionLimit.self,
    Envoy_Extensions_Filters_Network_DirectResponse_V3_Config.self,
    Envoy_Extensions_Filters_Network_HttpConnectionManager_V3_HttpConnectionManager.self,
    Envoy_Extensions_Filters_Network_TcpProxy_V3_TcpProxy.self,
    Envoy_Extensions_HealthCheck_EventSinks_File_V3_HealthCheckEventFileSink.self,
    Envoy_Extensions_HealthCheckers_Redis_V3_Redis.self,
    Envoy_Extensions_InternalRedirect_AllowListedRoutes_V3_AllowListedRoutesConfig.self,
    Envoy_Extensions_InternalRedirect_PreviousRoutes_V3_PreviousRoutesConfig.self,
    Envoy_Extensions_InternalRedirect_SafeCrossScheme_V3_SafeCrossSchemeConfig.self,
    Envoy_Extensions_LoadBalancingPolicies_LeastRequest_V3_LeastRequest.self,
    Envoy_Extensions_LoadBalancingPolicies_Maglev_V3_Maglev.self,
    Envoy_Extensions_LoadBalancingPolicies_Random_V3_Random.self,
    Envoy_Extensions_LoadBalancingPolicies_RingHash_V3_RingHash.self,
    Envoy_Extensions_LoadBalancingPolicies_RoundRobin_V3_RoundRobin.self,
    Envoy_Extensions_LoadBalancingPolicies_Subset_V3_Subset.self,
    Envoy_Extensions_Retry_Host_OmitCanaryHosts_V3_OmitCanaryHostsPredicate.self,
    Envoy_Extensions_Retry_Host_OmitHostMetadata_V3_OmitHostMetadataConfig.self,
    Envoy_Extensions_Retry_Host_PreviousHosts_V3_PreviousHostsPredicate.self,
    Envoy_Extensions_Retry_Priority_PreviousPriorities_V3_PreviousPrioritiesConfig.self,
    Envoy_Extensions_TransportSockets_RawBuffer_V3_RawBuffer.self,
    Envoy_Extensions_TransportSockets_Tls_V3_DownstreamTlsContext.self,
    Envoy_Extensions_TransportSockets_Tls_V3_Secret.self,
    Envoy_Extensions_TransportSockets_Tls_V3_UpstreamTlsContext.self,
    Envoy_Extensions_Upstreams_Http_V3_HttpProtocolOptions.self,
  ]

  /// Makes the types known to SwiftProtobuf, which needs that to print an `Any` as JSON.
  /// May be called more than once.
  public static func register() {
    for type in all { Google_Protobuf_Any.register(messageType: type) }
  }
}

extension Google_Protobuf_Any {
  /// Full name of the message held: `envoy.extensions.filters.http.router.v3.Router`.
  public var messageName: String {
    typeURL.split(separator: "/", omittingEmptySubsequences: false).last.map(String.init) ?? ""
  }

  /// The message held, or nil when it is of another type or its bytes are malformed.
  public func unpacked<Held: Message>(as type: Held.Type) -> Held? {
    guard messageName == type.protoMessageName else { return nil }
    return try? Held(serializedBytes: value)
  }
}
