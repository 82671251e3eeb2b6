import Primitives

/// The sentences of `%APUS_FAILURE%`: what happened, to whom, after how long, and which setting decided it.
enum FailureSentences {
  /// Who a sentence is about.
  struct Place {
    let host: ByteView
    let cluster: ByteView
    /// Which transport socket was chosen for the host; empty: there was no choice.
    var socket = ByteView.empty
  }

  // MARK: Connections

  /// A connection could not be made.
  static func notConnected(_ text: inout FailureText, _ place: Place, _ failure: TransportFailure, timeout: UInt64) {
    if failure.isTimeout {
      noAnswer(&text, place, timeout: timeout, isHandshake: failure.isHandshake)
    } else if failure.isHandshake {
      noTLS(&text, place, reason: failure.view, spent: failure.spent)
    } else {
      noConnection(&text, place, errno: failure.errno, reason: failure.view, spent: failure.spent)
    }
    if failure.isHandshake, !place.socket.isEmpty {
      text.also("by the transport socket ")
      text.put(place.socket)
    }
  }

  /// - Parameter isHandshake: The host was reached, and TLS with it was not.
  static func noAnswer(_ text: inout FailureText, _ place: Place, timeout: UInt64, isHandshake: Bool) {
    begin(&text, place, isHandshake: isHandshake)
    text.put(isHandshake ? "the handshake was not over in " : "no answer in ")
    text.put(setting: timeout)
    text.also("decided by connect_timeout ")
    text.put(setting: timeout)
  }

  static func noConnection(_ text: inout FailureText, _ place: Place, errno: Int32, reason: ByteView, spent: UInt64) {
    begin(&text, place, isHandshake: false)
    text.put(words: reason)
    put(&text, errno: errno)
    text.put(" after ")
    text.put(spent: spent)
    text.put(" while connecting")
  }

  static func noTLS(_ text: inout FailureText, _ place: Place, reason: ByteView, spent: UInt64) {
    begin(&text, place, isHandshake: true)
    let why = TLSReason(reason)
    if why.text.isEmpty { text.put("the host closed the connection") } else { text.put(why.text) }
    text.put(" after ")
    text.put(spent: spent)
    text.put(" in the handshake")
    if why.setting.utf8CodeUnitCount > 0 {
      text.also("decided by ")
      text.put(why.setting)
    }
  }

  private static func begin(_ text: inout FailureText, _ place: Place, isHandshake: Bool) {
    text.put(isHandshake ? "TLS with " : "no connection to ")
    text.put(host: place.host, cluster: place.cluster)
    text.put(": ")
  }

  private static func put(_ text: inout FailureText, errno: Int32) {
    let name = ErrnoName.of(errno)
    guard name.utf8CodeUnitCount > 0 else { return }
    text.put(" (")
    text.put(name)
    text.put(")")
  }

  // MARK: Exchanges that broke

  /// How far an exchange was.
  struct Progress {
    /// Since the request went to its host; 0: nothing of it did.
    let sentAgo: UInt64
    let isInResponse: Bool
  }

  static func closed(_ text: inout FailureText, _ place: Place, errno: Int32, reason: ByteView, _ progress: Progress) {
    text.put("reset: ")
    text.put(host: place.host, cluster: place.cluster)
    if reason.isEmpty {
      text.put(" closed the connection")
    } else {
      text.put(" broke the connection, ")
      text.put(words: reason)
      put(&text, errno: errno)
      text.put(",")
    }
    put(&text, progress)
  }

  static func reset(_ text: inout FailureText, _ place: Place, _ progress: Progress) {
    text.put("reset: ")
    text.put(host: place.host, cluster: place.cluster)
    text.put(" reset the stream")
    put(&text, progress)
  }

  static func hostFailed(_ text: inout FailureText, _ place: Place) {
    text.put("closed: ")
    text.put(host: place.host, cluster: place.cluster)
    text.put(" has failed, and its connections end with it")
    text.also("decided by close_connections_on_host_health_failure")
  }

  static func refused(_ text: inout FailureText, _ place: Place) {
    text.put("refused: ")
    text.put(host: place.host, cluster: place.cluster)
    text.put(" takes no more requests on this connection and has not begun with this one")
  }

  static func protocolError(_ text: inout FailureText, _ place: Place, detail: ByteView, _ progress: Progress) {
    text.put("protocol error: ")
    text.put(host: place.host, cluster: place.cluster)
    text.put(" sent what is no response (")
    text.put(detail)
    text.put(")")
    put(&text, progress)
  }

  static func unsendable(_ text: inout FailureText, _ place: Place, reason: StaticString) {
    text.put("unsendable: ")
    text.put(host: place.host, cluster: place.cluster)
    text.put(" cannot be sent the request: ")
    text.put(reason)
  }

  private static func put(_ text: inout FailureText, _ progress: Progress) {
    if progress.sentAgo == 0 {
      text.put(" before anything of the request was sent")
      return
    }
    text.put(" ")
    text.put(spent: progress.sentAgo)
    text.put(" after the request went there, ")
    text.put(progress.isInResponse ? "in the response" : "before a response")
  }

  // MARK: Time

  /// What a timeout waited for.
  enum Awaited { case client, host, connection, response, rest, attempt }

  /// - Parameters:
  ///   - setting: What decided it.
  ///   - isDefault: Nobody has set it.
  static func timeout(
    _ text: inout FailureText, _ place: Place, _ awaited: Awaited, setting: StaticString, _ time: UInt64,
    isDefault: Bool = false, sentAgo: UInt64 = 0
  ) {
    text.put("timeout: ")
    switch awaited {
    case .client: text.put("the client had not sent all of its request in ")
    case .host:
      text.put("cluster ")
      text.put(place.cluster)
      text.put(" was not asked in ")
    case .connection:
      text.put("no connection to ")
      text.put(host: place.host, cluster: place.cluster)
      text.put(" was free in ")
    case .response:
      text.put(host: place.host, cluster: place.cluster)
      text.put(" sent no response in ")
    case .rest:
      text.put(host: place.host, cluster: place.cluster)
      text.put(" had not sent all of its response in ")
    case .attempt:
      text.put("another attempt after ")
      text.put(host: place.host, cluster: place.cluster)
      text.put(" was not due in ")
    }
    text.put(setting: time)
    text.also("decided by ")
    text.put(setting)
    text.put(" ")
    text.put(setting: time)
    if isDefault { text.put(" (the default)") }
    guard sentAgo > 0 else { return }
    text.also("the request went there ")
    text.put(spent: sentAgo)
    text.put(" ago")
  }

  // MARK: Limits

  /// A limit of the cluster, as it is to be named.
  struct LimitName {
    /// What there is so much of.
    let what: StaticString
    let setting: StaticString
    let value: UInt64
    var isDefault = false
    var isHigh = false
  }

  static func overflow(_ text: inout FailureText, cluster: ByteView, _ limit: LimitName) {
    text.put("overflow: cluster ")
    text.put(cluster)
    text.put(" has ")
    text.put(limit.value)
    text.put(" ")
    text.put(limit.what)
    text.also("decided by circuit_breakers ")
    text.put(limit.setting)
    text.put(" ")
    text.put(limit.value)
    if limit.isDefault { text.put(" (the default)") }
    text.put(limit.isHigh ? ", priority HIGH" : ", priority DEFAULT")
  }

  /// - Parameter percent: Of requests.
  static func refusedShare(_ text: inout FailureText, cluster: ByteView, setting: StaticString, percent: UInt64) {
    text.put("refused: cluster ")
    text.put(cluster)
    text.put(" answers ")
    text.put(percent)
    text.put(" % of requests without a host; decided by ")
    text.put(setting)
  }

  // MARK: Hosts

  /// Why a cluster has nobody for a request.
  struct Absence {
    var total = 0
    var failedChecks = 0
    var ejected = 0
    var discovered = 0
    /// Of one of those that failed checks, or of one that is ejected.
    var lastCheck = HostCheckNote()
    var ejection = HostEjectionNote()
    var panicThreshold: UInt32 = 50
    var failsInPanic = false
    /// Hosts are chosen by metadata, and none that is wanted has been found.
    var isOfSubset = false
  }

  static func noHost(_ text: inout FailureText, cluster: ByteView, _ absence: Absence, now: UInt64) {
    text.put("no host: cluster ")
    text.put(cluster)
    if absence.total == 0 {
      text.put(" has no hosts")
      return
    }
    text.put(" has ")
    text.put(UInt64(absence.total))
    text.put(absence.total == 1 ? " host" : " hosts")
    var begins: StaticString = ": "
    if absence.failedChecks > 0 {
      text.put(begins)
      begins = ", "
      text.put(UInt64(absence.failedChecks))
      text.put(" failed checks")
      put(&text, absence.lastCheck)
    }
    if absence.ejected > 0 {
      text.put(begins)
      begins = ", "
      text.put(UInt64(absence.ejected))
      text.put(" ejected")
      put(&text, absence.ejection, now: now)
    }
    if absence.discovered > 0 {
      text.put(begins)
      begins = ", "
      text.put(UInt64(absence.discovered))
      text.put(" configured as unhealthy or draining")
    }
    if absence.isOfSubset {
      text.also("no subset of them has one for what metadata_match wants; decided by lb_subset_config")
    } else if absence.failedChecks + absence.ejected + absence.discovered == 0 {
      text.put(", of which none may be chosen")
    } else if absence.failsInPanic {
      text.also("fail_traffic_on_panic forbids to try them")
    } else if absence.panicThreshold == 0 {
      text.also("healthy_panic_threshold 0 forbids to try them")
    }
  }

  private static func put(_ text: inout FailureText, _ check: HostCheckNote) {
    guard check.isKnown else { return }
    text.put(" (last: ")
    if check.status > 0 {
      text.put(UInt64(check.status))
    } else {
      text.put(check.words)
    }
    text.put(")")
  }

  private static func put(_ text: inout FailureText, _ ejection: HostEjectionNote, now: UInt64) {
    guard ejection.isKnown else { return }
    text.put(" (")
    text.put(ejection.kindName)
    let left = ejection.untilMilliseconds > now / 1_000_000 ? ejection.untilMilliseconds - now / 1_000_000 : 0
    text.put(", ")
    text.put(left / 1000)
    text.put(" s left)")
  }

  // MARK: Attempts

  /// - Parameter of: How many there may be; 0 when nothing says.
  static func attempts(_ text: inout FailureText, _ number: UInt64, of most: UInt64) {
    text.also("attempt ")
    text.put(number)
    guard most > 0 else { return }
    text.put(" of ")
    text.put(most)
  }
}
