import LoadBase
import TLS

extension PlanBuilder {
  static let systemRoots = "/etc/ssl/certs/ca-certificates.crt"

  /// What `https` and `tls` URLs mean; nil, and no option of TLS, for others.
  func tls(_ url: TargetURL) throws(UsageError) -> TLSPlan? {
    guard url.scheme.isTLS else {
      for (name, isGiven) in [
        ("--insecure", options.insecure), ("--ca-file", options.caFile != nil),
        ("--server-name", options.serverName != nil), ("--tls-min", options.tlsMin != nil),
        ("--tls-max", options.tlsMax != nil), ("--cert", options.cert != nil),
        ("--key", options.key != nil), ("--resume", options.resume),
      ] where isGiven {
        throw UsageError("\(name) needs an https:// or tls:// URL")
      }
      return nil
    }
    let name = options.serverName ?? url.host
    guard !name.isEmpty, name.utf8.count <= ServerName.bytesMax, name.utf8.allSatisfy({ $0 > 32 && $0 < 127 }) else {
      throw UsageError("--server-name \(name): not a name of a server")
    }
    var plan = TLSPlan(serverName: name, authorities: try authorities())
    plan.identity = try clientIdentity()
    if let text = options.tlsMin { plan.versionMin = try Quantity.tlsVersion(text, option: "--tls-min") }
    if let text = options.tlsMax { plan.versionMax = try Quantity.tlsVersion(text, option: "--tls-max") }
    guard plan.versionMin <= plan.versionMax else { throw UsageError("--tls-min 1.3 is above --tls-max 1.2") }
    plan.resumes = options.resume
    return plan
  }

  private func authorities() throws(UsageError) -> TrustStore? {
    if options.insecure {
      if options.caFile != nil { throw UsageError("--insecure and --ca-file exclude each other: give one") }
      return nil
    }
    if let path = options.caFile {
      return try CertificateFiles.authorities(
        try environment.readFile(path, "--ca-file"), place: "--ca-file \(path)")
    }
    let roots: [UInt8]
    do throws(UsageError) {
      roots = try environment.readFile(Self.systemRoots, "")
    } catch {
      throw UsageError(
        "this system has no root certificates in \(Self.systemRoots): give --ca-file FILE, or --insecure")
    }
    return try CertificateFiles.authorities(roots, place: Self.systemRoots)
  }

  private func clientIdentity() throws(UsageError) -> TLSIdentity? {
    switch (options.cert, options.key) {
    case (nil, nil): return nil
    case (let cert?, let key?):
      return try CertificateFiles.identity(
        chain: try environment.readFile(cert, "--cert"), chainPlace: "--cert \(cert)",
        key: try environment.readFile(key, "--key"), keyPlace: "--key \(key)")
    case (nil, .some): throw UsageError("--key needs --cert FILE: the certificate that the key is of")
    case (.some, nil): throw UsageError("--cert needs --key FILE: the key of the certificate")
    }
  }
}
