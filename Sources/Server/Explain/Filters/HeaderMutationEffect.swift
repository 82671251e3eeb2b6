import Format
import HTTPCore
import Primitives
import Proxy

extension Explainer {
  /// Changes the request, so that what comes behind sees it as it will.
  func headerMutation(_ filter: HeaderMutationFilter, _ asked: AskedFilter) -> FilterEffect {
    let headers = asked.at.headers
    let before = fields(headers)
    var info = StreamInfo()
    info.downstreamRemote = StreamInfo.Endpoint(ip: asked.at.request.source, port: 0)
    info.downstreamDirectRemote = info.downstreamRemote
    withUnsafePointer(to: info) { info in
      filter.mutate(
        headers, own: asked.own, arena: asked.at.arena,
        context: FormatContext(stream: info, requestHeaders: UnsafePointer(headers)))
    }
    let after = fields(headers)
    let names = Set(before.keys).union(after.keys).filter { before[$0] != after[$0] }.sorted()
    if names.isEmpty { return FilterEffect(says: "changes nothing of the request") }
    let more = names.count > Self.namesMax ? " and \(names.count - Self.namesMax) more" : ""
    return FilterEffect(says: "changes \(names.prefix(Self.namesMax).joined(separator: ", "))\(more)")
  }

  private static let namesMax = 5

  private func fields(_ headers: UnsafePointer<HeaderMap>) -> [String: [String]] {
    var fields: [String: [String]] = [:]
    for slot in 0..<headers.pointee.slotCount {
      let field = headers.pointee[slot: slot]
      if !field.isRemoved { fields[field.name.string, default: []].append(field.value.string) }
    }
    return fields
  }
}
