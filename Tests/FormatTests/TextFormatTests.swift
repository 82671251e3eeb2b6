import Format
import HTTPCore
import Primitives
import Testing

@Suite struct TextFormatTests {
  static let request = [
    (":method", "GET"), (":path", "/a/b?x=12&y&x=3"), (":authority", "h.com"),
    ("user-agent", "curl/8"), ("x-request-id", "id-1"), ("x-raw", "a\"b\\c"),
  ]

  @Test(arguments: [
    ("plain %% text", "plain % text"), ("", ""), ("%HOSTNAME%/%ENVIRONMENT(REGION)%", "machine/north"),
    ("%ENVIRONMENT(REGION):3%", "nor"), ("%ENVIRONMENT(NONE)%", "-"),
    ("%REQ(user-agent)%", "curl/8"), ("%REQ(User-Agent):4%", "curl"), ("%REQ(none)%", "-"),
    ("%REQ(none?:METHOD)%", "GET"), ("%REQ(host)%", "h.com"), ("%REQUEST_HEADER(x-raw)%", "a\"b\\c"),
    ("%RESP(server)%", "srv"), ("%TRAILER(x)%", "-"),
    ("%START_TIME%", "2026-11-24T02:12:28.300Z"), ("%START_TIME(%s)%", "1795486348"),
    ("%START_TIME(%f)%", "300608123"), ("%START_TIME(%H:%M:%S.%3f %%)%", "02:12:28.300 %"),
    ("%START_TIME(%Y-%m-%dT%H:%M:%S.%6fZ|%1f)%", "2026-11-24T02:12:28.300608Z|3"),
    (
      "%START_TIME(%e|%j|%y|%a|%A|%b|%B|%Z|%z|%E4S|%Ez|%I%p|%D|%T|%R|%F)%",
      "24|328|26|Tue|Tuesday|Nov|November|UTC|+0000|28.3006|+00:00|02AM|11/24/26|02:12:28|02:12|2026-11-24"
    ),
    ("%START_TIME(%c)%", "Tue Nov 24 02:12:28 2026"), ("%EMIT_TIME(%s.%3f)%", "1795486348.326"),
    ("%UPSTREAM_TLS_VERSION%|%UPSTREAM_TLS_CIPHER%|%UPSTREAM_PEER_SUBJECT%|%UPSTREAM_PEER_CERT%", "TLSv1.3|-|CN=\"h\"|----%20"),
    ("%UPSTREAM_PEER_CERT_V_START%|%UPSTREAM_PEER_CERT_V_END%", "1969-12-31T23:59:59.000Z|9999-12-31T23:59:59.000Z"),
    ("%UPSTREAM_PEER_CERT_V_END(%s %%)%|%UPSTREAM_LOCAL_DNS_SAN%|%UPSTREAM_LOCAL_URI_SAN%", "253402300799 %|a,b|-"),
    ("%DOWNSTREAM_LOCAL_SUBJECT%|%DOWNSTREAM_PEER_CERT%|%DOWNSTREAM_PEER_CHAIN_SERIALS%", "-|-|-"),
    ("%DURATION% %REQUEST_DURATION% %RESPONSE_DURATION% %RESPONSE_TX_DURATION%", "25 2 10 15"),
    ("%REQUEST_TX_DURATION%", "4"), ("%COMMON_DURATION(DS_RX_BEG:US_CX_END:us)%", "3500"),
    ("%COMMON_DURATION(US_CX_END:US_TX_END:ns)%", "500000"),
    ("%COMMON_DURATION(DS_RX_BEG:US_TX_BEG)%", "-"), ("%COMMON_DURATION(DS_TX_END:DS_RX_BEG)%", "-"),
    ("%UPSTREAM_CONNECTION_POOL_READY_DURATION%", "-"),
    ("%BYTES_RECEIVED%/%BYTES_SENT%", "12/345"), ("%RESPONSE_CODE%", "503"),
    ("%RESPONSE_CODE_DETAILS%", "a_b_c"), ("%RESPONSE_CODE_DETAILS(ALLOW_WHITESPACES)%", "a b\tc"),
    ("%RESPONSE_FLAGS%", "URX,UF"),
    ("%RESPONSE_FLAGS_LONG%", "UpstreamRetryLimitExceeded,UpstreamConnectionFailure"),
    ("%PROTOCOL% %UPSTREAM_PROTOCOL%", "HTTP/1.1 -"),
    ("%DOWNSTREAM_REMOTE_ADDRESS%", "10.0.0.1:4000"),
    ("%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%|%DOWNSTREAM_REMOTE_PORT%", "10.0.0.1|4000"),
    ("%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%", "[::1]:4001"),
    ("%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%", "::1"),
    ("%DOWNSTREAM_LOCAL_ADDRESS%|%DOWNSTREAM_LOCAL_PORT%", "/run/sock|-"),
    ("%UPSTREAM_HOST%|%UPSTREAM_HOST_NAME%|%UPSTREAM_HOST_NAME_WITHOUT_PORT%", "10.0.0.9:80|backend:80|backend"),
    ("%UPSTREAM_LOCAL_ADDRESS%|%UPSTREAM_CLUSTER%|%ROUTE_NAME%", "-|web|-"),
    ("%PATH%", "/a/b?x=12&y&x=3"), ("%PATH(NQ:PATH):3%", "/a/"), ("%PATH(NQ:ORIG)%", "-"),
    ("%QUERY_PARAM(x)%|%QUERY_PARAM(x):1%|%QUERY_PARAM(y)%|%QUERY_PARAM(z)%", "12|1||-"),
    ("%QUERY_PARAMS%", "x=12&y&x=3"), ("%STREAM_ID%|%CONNECTION_ID%", "id-1|7"),
    ("%APUS_FAILURE%", "no host: cluster a has \"no\" hosts"), ("%LOCAL_REPLY_BODY%", "body\n"), ("%ACCESS_LOG_TYPE%", "DownstreamEnd"),
    ("%DOWNSTREAM_TLS_VERSION%%TRACE_ID%%DYNAMIC_METADATA(a:b)%%DOWNSTREAM_PEER_CERT_V_END(%Y)%", "----"),
    ("%CUSTOM_FLAGS%|%GRPC_STATUS%", "|-"), ("%REQUEST_HEADERS_BYTES%", "87"),
  ])
  func writes(text: String, want: String) throws {
    let formatter = try Formatter(text: text, environment: environment)
    for usesCache in [true, false] {
      withContext(
        sampleStream(), request: Self.request, response: [("server", "srv")], usesCache: usesCache
      ) { context, _, arena in
        #expect(output(formatter, context) == want)
        #expect(formatter.program.format(context: context, arena: &arena.pointee).string == want)
      }
    }
  }

  @Test(arguments: [
    ("a=%REQ(none)%", "a="), ("%ENVIRONMENT(NONE)%", "-"), ("%RESPONSE_FLAGS%", "-"),
  ])
  func omitsEmptyValues(text: String, want: String) throws {
    let formatter = try Formatter(text: text, omitEmptyValues: true, environment: environment)
    withContext(StreamInfo()) { context, _, _ in #expect(output(formatter, context) == want) }
  }

  @Test func defaultLine() throws {
    let formatter = try Formatter(text: Formatter.defaultText, environment: environment)
    withContext(sampleStream(), request: Self.request) { context, _, _ in
      #expect(
        output(formatter, context)
          == "[2026-11-24T02:12:28.300Z] \"GET /a/b?x=12&y&x=3 HTTP/1.1\" 503 URX,UF 12 345 25 - "
          + "\"-\" \"curl/8\" \"id-1\" \"h.com\" \"10.0.0.9:80\"\n")
    }
  }

  @Test(arguments: [
    ("a %REQ%", 2, "REQ", nil), ("%NOPE%", 0, "NOPE", nil), ("%", 0, "", nil),
    ("%req(x)%", 0, "", nil), ("%REQ(x", 0, "REQ", nil), ("%DURATION", 0, "DURATION", nil),
    ("%START_TYME%", 0, "START_TYME", "START_TIME"),
    ("x%%%RESPONSE_COD%", 3, "RESPONSE_COD", "RESPONSE_CODE"),
    ("%REQ(a?b?c)%", 0, "REQ", nil), ("%REQ(a b)%", 0, "REQ", nil), ("%DURATION(x)%", 0, "DURATION", nil),
    ("%DURATION:5%", 0, "DURATION", nil), ("%START_TIME(%n)%", 0, "START_TIME", nil),
    ("%START_TIME(%Q)%", 0, "START_TIME", nil), ("%COMMON_DURATION(A:B)%", 0, "COMMON_DURATION", nil),
    ("%COMMON_DURATION(DS_RX_BEG:DS_TX_END:s)%", 0, "COMMON_DURATION", nil),
    ("%PATH(XX)%", 0, "PATH", nil), ("%GRPC_STATUS(X)%", 0, "GRPC_STATUS", nil),
    ("%ENVIRONMENT()%", 0, "ENVIRONMENT", nil), ("%CLUSTER_METADATA(a)%", 0, "CLUSTER_METADATA", nil),
  ] as [(String, Int, String, String?)])
  func refuses(text: String, offset: Int, command: String, suggestion: String?) {
    let error = #expect(throws: FormatError.self) {
      try Formatter(text: text, environment: environment)
    }
    #expect(error?.offset == offset)
    #expect(error?.command == command)
    if let suggestion { #expect(error?.suggestion == suggestion) }
  }

  @Test func cutsWhatDoesNotFit() throws {
    let formatter = try Formatter(text: Formatter.defaultText, environment: environment)
    withContext(sampleStream(), request: Self.request) { context, _, _ in
      let whole = output(formatter, context)
      for capacity in 0...whole.utf8.count {
        let room = UnsafeMutablePointer<UInt8>.allocate(capacity: capacity + 1)
        defer { room.deallocate() }
        room[capacity] = 0xAA
        var sink = ByteSink(room, capacity: capacity)
        formatter.write(context: context, to: &sink)
        #expect(sink.written.string == String(decoding: whole.utf8.prefix(capacity), as: UTF8.self))
        #expect(sink.isTruncated == (capacity < whole.utf8.count))
        #expect(room[capacity] == 0xAA)
      }
    }
  }

  @Test(arguments: [
    (0 as Int64, "1970-01-01 00:00:00 001 Thu"), (951_782_400, "2000-02-29 00:00:00 060 Tue"),
    (4_107_542_399, "2100-02-28 23:59:59 059 Sun"), (4_107_542_400, "2100-03-01 00:00:00 060 Mon"),
    (1_735_689_599, "2024-12-31 23:59:59 366 Tue"), (-1, "1969-12-31 23:59:59 365 Wed"),
  ])
  func calendar(second: Int64, want: String) throws {
    let formatter = try Formatter(text: "%START_TIME(%Y-%m-%d %H:%M:%S %j %a)%")
    var stream = StreamInfo()
    stream.startWallNanoseconds = second * 1_000_000_000
    withContext(stream) { context, _, _ in #expect(output(formatter, context) == want) }
  }

  @Test(arguments: [
    ("%GRPC_STATUS%", "Unavailable"), ("%GRPC_STATUS(SNAKE_STRING)%", "UNAVAILABLE"),
    ("%GRPC_STATUS(NUMBER)%", "14"), ("%GRPC_STATUS_NUMBER%", "14"),
  ])
  func grpcStatus(text: String, want: String) throws {
    let formatter = try Formatter(text: text)
    let request = [("content-type", "application/grpc")]
    withContext(sampleStream(), request: request) { context, _, _ in
      #expect(output(formatter, context) == want)  // from the HTTP status 503
    }
    withContext(StreamInfo(), request: request, response: [("grpc-status", "14")]) { context, _, _ in
      #expect(output(formatter, context) == want)
    }
  }

  @Test func uniqueIDsDiffer() throws {
    let formatter = try Formatter(text: "%UNIQUE_ID%")
    withContext(StreamInfo()) { context, _, _ in
      let first = output(formatter, context)
      #expect(first.count == 36)
      #expect(Array(first)[14] == "4")
      #expect(output(formatter, context) != first)
    }
  }

  @Test(arguments: [
    ("%REQ(a)% %DOWNSTREAM_HANDSHAKE_DURATION%", nil, nil), ("%DOWNSTREAM_TLS_VERSION%", [], nil),
    ("%UPSTREAM_TLS_CIPHER%", nil, []), ("%UPSTREAM_PEER_CERT%%UPSTREAM_LOCAL_IP_SAN%", nil, [.pem, .local]),
    ("%DOWNSTREAM_PEER_CERT_V_END(%s)%", .validity, nil),
    ("%DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_1%%DOWNSTREAM_LOCAL_SUBJECT%", [.chain, .local], nil),
  ] as [(String, TLSDetailNeeds?, TLSDetailNeeds?)])
  func whatTLSMustKeep(text: String, downstream: TLSDetailNeeds?, upstream: TLSDetailNeeds?) throws {
    let formatter = try Formatter(text: text, environment: environment)
    let needs = withExtendedLifetime(formatter) { $0.program.tlsNeeds }
    #expect(needs.downstream == downstream)
    #expect(needs.upstream == upstream)
  }
}
