import ConfigLoader
import ConfigSchema
import HTTPCore
import Primitives
import Proxy

/// Filters that are about gRPC: what they do depends on `content-type` alone.
extension Explainer {
  func grpc(_ filter: HTTPFilter, _ asked: AskedFilter) -> FilterEffect {
    let type = asked.at.headers.pointee.value(.contentType) ?? .empty
    switch filter {
    case is GRPCWebFilter:
      guard GRPCWebFilter.takes(contentType: type) else { return FilterEffect(says: "no gRPC-Web: \(shown(type))") }
      asked.at.headers.pointee.set(.contentType, ByteView("application/grpc"))
      return FilterEffect(says: "makes a gRPC call of it")
    case let filter as GRPCHTTP1BridgeFilter:
      guard filter.takes(contentType: type) else { return FilterEffect(says: "no gRPC: \(shown(type))") }
      return FilterEffect(says: "lets a client of HTTP/1 call a gRPC service")
    case is GRPCHTTP1ReverseBridgeFilter:
      guard GRPC.isGRPC(contentType: type) else { return FilterEffect(says: "no gRPC: \(shown(type))") }
      let settings = asked.proto.typedConfig.unpacked(as: Envoy_Extensions_Filters_Http_GrpcHttp1ReverseBridge_V3_FilterConfig.self)
      return FilterEffect(says: "with a body, its content-type becomes \(settings?.contentType ?? "another one") and its route is chosen again (not shown)")
    default: return FilterEffect()
    }
  }

  private func shown(_ type: ByteView) -> String { type.isEmpty ? "the request has no content-type" : "content-type is \(type.string)" }
}
