/// A route's, virtual host's or route table's own mutations (`HeaderMutationPerRoute`).
public final class HeaderMutationRouteConfig: Sendable {
  let request: FrozenList<Unmanaged<HeaderMutationSteps>>
  let response: FrozenList<Unmanaged<HeaderMutationSteps>>
  private let requestOwners: [HeaderMutationSteps]
  private let responseOwners: [HeaderMutationSteps]

  /// - Parameter inherited: Of the next wider level that has mutations: of the route for a weighted
  ///   cluster, else of the virtual host, else of the route table. All levels apply.
  public init(
    request: HeaderMutationSteps?, response: HeaderMutationSteps?,
    inherited: HeaderMutationRouteConfig? = nil
  ) {
    // Most specific first.
    requestOwners = [request].compactMap { $0 } + (inherited?.requestOwners ?? [])
    responseOwners = [response].compactMap { $0 } + (inherited?.responseOwners ?? [])
    self.request = FrozenList(requestOwners.map { Unmanaged.passUnretained($0) })
    self.response = FrozenList(responseOwners.map { Unmanaged.passUnretained($0) })
  }
}
