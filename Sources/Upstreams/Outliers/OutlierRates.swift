/// Success rates of a cluster at the last sweep, in percent; nil where too few hosts had enough results.
public struct OutlierRates: Equatable, Sendable {
  /// Results of one origin.
  public struct Origin: Equatable, Sendable {
    /// Mean of the hosts' rates.
    public let average: Double?
    /// A host with a lower rate is ejected. It is negative when the rates differ so much that nobody is.
    public let threshold: Double?
  }

  /// What hosts answered; of failed connections, resets and timeouts too where these are not told apart.
  public let external: Origin
  /// With `split_external_local_origin_errors`.
  public let local: Origin
}
