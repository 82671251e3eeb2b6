import COpenSSL
import Primitives

extension TLSContextOptions {
  /// Calls `body` with all of it in C's form; pointers are valid within.
  func fill(
    _ raw: inout copenssl_options, _ callbacks: TLSContextCallbacks,
    _ body: (inout copenssl_options) -> OpaquePointer?
  ) -> OpaquePointer? {
    raw.is_server = isServer ? 1 : 0
    raw.min_version = Int32(versionMin)
    raw.max_version = Int32(versionMax)
    raw.prefers_client_ciphers = prefersClientCiphers ? 1 : 0
    raw.tickets = Int32(tickets)
    raw.lifetime_seconds = lifetimeSeconds
    raw.keyring = keyring?.ring
    raw.rules = Unmanaged.passUnretained(callbacks).toOpaque()
    precondition(idContext.count == 32)
    withUnsafeMutableBytes(of: &raw.id_context) { $0.copyBytes(from: idContext) }
    if let rules {
      raw.verify = PeerRules.verify
      raw.requests_certificate = 1
      raw.requires_certificate = rules.requiresCertificate ? 1 : 0
      raw.chain_rules = copenssl_chain_rules(
        store: rules.store?.pointer, depth_max: Int32(clamping: rules.depthMax), allows_expired: rules.allowsExpired ? 1 : 0,
        checks_crls: rules.store?.hasRevocationLists == true ? 1 : 0,
        checks_leaf_crl_only: rules.checksLeafCRLOnly ? 1 : 0)
    }
    if keyLog != nil {
      raw.keylog = { rules, connection, line, count in
        guard let line, let callbacks = TLSContextCallbacks.of(rules) else { return }
        line.withMemoryRebound(to: UInt8.self, capacity: count) { callbacks.keyLog?(connection, .init($0, count)) }
      }
    }
    return withText(ciphers) { ciphers in
      withText(groups) { groups in
        withText(signatures) { signatures in
          withText(suitesOfTLS13) { suites in
            raw.ciphers = ciphers
            raw.suites_of_tls13 = suites
            raw.groups = groups
            raw.signatures = signatures
            return fillBytes(&raw, body)
          }
        }
      }
    }
  }

  private func fillBytes(
    _ raw: inout copenssl_options, _ body: (inout copenssl_options) -> OpaquePointer?
  ) -> OpaquePointer? {
    protocols.withUnsafeBufferPointer { protocols in
      raw.protocols = protocols.baseAddress
      raw.protocols_count = protocols.count
      guard let identity else { return body(&raw) }
      // One block for all certificates, so that their pointers live as long as each other.
      let chain = identity.chain.flatMap { $0 }
      return chain.withUnsafeBufferPointer { chain in
        var starts: [UnsafePointer<UInt8>?] = []
        var at = 0
        for certificate in identity.chain {
          starts.append(chain.baseAddress.map { $0 + at })
          at += certificate.count
        }
        let counts = identity.chain.map(\.count)
        return starts.withUnsafeBufferPointer { starts in
          counts.withUnsafeBufferPointer { counts in
            raw.chain = starts.baseAddress
            raw.chain_counts = counts.baseAddress
            raw.chain_length = starts.count
            return fillSecrets(identity, &raw, body)
          }
        }
      }
    }
  }

  private func fillSecrets(
    _ identity: TLSIdentity, _ raw: inout copenssl_options, _ body: (inout copenssl_options) -> OpaquePointer?
  ) -> OpaquePointer? {
    identity.key.withView { key in
      raw.key = key.base
      raw.key_count = key.count
      return (identity.staple ?? []).withUnsafeBufferPointer { staple in
        raw.staple = staple.baseAddress
        raw.staple_count = staple.count
        return body(&raw)
      }
    }
  }
}

private func withText<R>(_ text: String?, _ body: (UnsafePointer<CChar>?) -> R) -> R {
  guard let text else { return body(nil) }
  return text.withCString(body)
}
