import ConfigSchema
import Proxy
import Stats
import TLS

/// What a secret is, checked.
enum SecretContent {
  case certificate(CheckedCertificate)
  /// With the content of its files in it.
  case validation(ValidationProto)
  case ticketKeys(CheckedTicketKeys)

  /// As the field of a `Secret` is called.
  var field: String {
    switch self {
    case .certificate: "tls_certificate"
    case .validation: "validation_context"
    case .ticketKeys: "session_ticket_keys"
    }
  }
}

/// Keys of tickets, and a digest that tells them apart.
struct CheckedTicketKeys {
  var keys: [TicketKey]
  var digest: [UInt8]
}

/// A secret from a file, checked.
struct CheckedSecret {
  /// Of the material.
  var digest: [UInt8]
  var version: String
  var content: SecretContent
  /// Directories of the files that it names.
  var filePlaces: Set<WatchedPlace>
}

/// A secret from a file that is in use.
struct SecretRecord {
  var checked: CheckedSecret
  let statsOwner: StatsScopeOwner
  let stats: SecretStats
}

/// Statistics of a secret from a file (`sds.<name>.`), under Envoy's names.
struct SecretStats {
  let updateAttempt, updateSuccess, updateFailure, updateRejected, keyRotationFailed, initFetchTimeout: Counter
  let updateTime, version: Gauge

  init(_ scope: StatsScope) {
    updateAttempt = scope.counter("update_attempt")
    updateSuccess = scope.counter("update_success")
    updateFailure = scope.counter("update_failure")
    updateRejected = scope.counter("update_rejected")
    keyRotationFailed = scope.counter("key_rotation_failed")
    initFetchTimeout = scope.counter("init_fetch_timeout")
    updateTime = scope.gauge("update_time")
    version = scope.gauge("version")
  }
}
