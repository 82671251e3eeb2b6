import Primitives
import Testing

@testable import HTTPCore

@Suite struct StatusAndFlagTests {
  @Test func reasons() {
    #expect(ByteView(StatusText.reason(200)).string == "OK")
    #expect(ByteView(StatusText.reason(431)).string == "Request Header Fields Too Large")
    #expect(ByteView(StatusText.reason(799)).string == "Unknown")
    for code: UInt16 in 0...999 {
      let reason = ByteView(StatusText.reason(code))
      #expect((1...40).contains(reason.count))
      #expect(reason.array.allSatisfy { $0 >= 32 && $0 < 127 })
    }
  }

  @Test func flagNames() {
    #expect(ResponseFlags.names.count == 30)
    #expect(ResponseFlags.unconditionalDropOverload.rawValue == 1 << 29)
    let short = ResponseFlags.names.map { ByteView($0.short).string }
    #expect(Set(short).count == short.count)
    func name(_ flag: ResponseFlags) -> String { short[flag.rawValue.trailingZeroBitCount] }
    #expect(name(.noRouteFound) == "NR")
    #expect(name(.upstreamConnectionFailure) == "UF")
    #expect(name(.downstreamProtocolError) == "DPE")
    #expect(name(.streamIdleTimeout) == "SI")
  }

  @Test func streamInfoStartsEmpty() {
    let info = StreamInfo()
    #expect(info.responseCode == 0)
    #expect(info.flags.isEmpty)
    #expect(info.upstreamHost.isNone)
    #expect(!StreamInfo.Endpoint(ip: nil, port: 0, path: ByteView("/x")).isNone)
  }
}
