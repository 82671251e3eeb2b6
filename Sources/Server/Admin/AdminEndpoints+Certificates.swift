import Glibc
import Proxy
import TLS

/// `/certs`.
extension AdminEndpoints {
  var certificateEndpoints: [AdminEndpoint] {
    [
      AdminEndpoint(path: "/certs", help: "print certs on machine") { [unowned self] _ in
        .json(Self.json(delegate.certificates, now: Int64(time(nil))))
      }
    ]
  }

  /// `envoy.admin.v3.Certificates`.
  private static func json(_ inventories: [TLSInventory], now: Int64) -> JSONValue {
    let certificates = inventories.map { inventory in
      JSONValue.object([
        .init("ca_cert", .array(inventory.authority.map { [json($0, now)] } ?? [])),
        .init("cert_chain", .array(inventory.certificates.map { json($0, now) })),
      ])
    }
    return .object([.init("certificates", .array(certificates))])
  }

  private static func json(_ entry: TLSInventory.Entry, _ now: Int64) -> JSONValue {
    var fields: [JSONValue.Field] = [
      .init("path", .string(entry.path)), .init("serial_number", .string(entry.facts.serial)),
      .init("subject_alt_names", .array(names(entry.facts))),
      .init("days_until_expiration", .string("\(CertificateAge.days(until: entry.facts.notAfter, now))")),
      .init("valid_from", timestamp(entry.facts.notBefore)),
      .init("expiration_time", timestamp(entry.facts.notAfter)),
    ]
    if let staple = entry.staple {
      var details: [JSONValue.Field] = [.init("valid_from", timestamp(staple.from))]
      if let until = staple.until { details.append(.init("expiration", timestamp(until))) }
      fields.append(.init("ocsp_details", .object(details)))
    }
    return .object(fields)
  }

  private static func names(_ facts: CertificateFacts) -> [JSONValue] {
    [(SubjectNameKind.dns, "dns"), (.uri, "uri"), (.ip, "ip_address")].flatMap { kind, field in
      facts.names.filter { $0.kind == kind }.map { .object([.init(field, .string($0.text))]) }
    }
  }

  private static func timestamp(_ second: Int64) -> JSONValue {
    var clock = time_t(second)
    var parts = tm()
    gmtime_r(&clock, &parts)
    func two(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
    let date = "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))"
    return .string("\(date)T\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))Z")
  }
}

/// How long certificates are good for.
enum CertificateAge {
  /// Whole days; 0 when it is over.
  static func days(until end: Int64, _ now: Int64) -> UInt64 { UInt64(max(0, end - now) / 86_400) }
}
