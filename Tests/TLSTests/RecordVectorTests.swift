import Primitives
@testable import TLS
import Testing

/// The application data of RFC 8448, section 3 ("Simple 1-RTT Handshake"): secrets to keys to records.
@Suite struct RecordVectorTests {
  static let clientSecret = [UInt8](hex: "9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5")
  static let serverSecret = [UInt8](hex: "a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643")
  static let payload = (0..<50).map { UInt8($0) }
  static let clientData = [UInt8](
    hex: """
      17 03 03 00 43 a2 3f 70 54 b6 2c 94 d0 af fa fe 82 28 ba 55 cb ef ac ea 42 f9 14 aa 66 bc ab 3f 2b 98 19 a8 a5 b4 6b
      39 5b d5 4a 9a 20 44 1e 2b 62 97 4e 1f 5a 62 92 a2 97 70 14 bd 1e 3d ea e6 3a ee bb 21 69 49 15 e4
      """)
  static let serverData = [UInt8](
    hex: """
      17 03 03 00 43 2e 93 7e 11 ef 4a c7 40 e5 38 ad 36 00 5f c4 a4 69 32 fc 32 25 d0 5f 82 aa 1b 36 e3 0e fa f9 7d 90 e6
      df fc 60 2d cb 50 1a 59 a8 fc c4 9c 4b f2 e5 f0 a2 1c 00 47 c2 ab f3 32 54 0d d0 32 e1 67 c2 95 5d
      """)
  static let clientClose = [UInt8](hex: "17 03 03 00 13 c9 87 27 60 65 56 66 b7 4d 7f f1 15 3e fd 6d b6 d0 b0 e3")

  static func made(_ library: TLSLibrary, isClient: Bool) throws -> RecordProtection {
    try withViews(clientSecret, serverSecret) { client, server in
      try #require(
        RecordProtection(
          library, suite: .aes128GCM, readSecret: isClient ? server : client,
          writeSecret: isClient ? client : server))
    }
  }

  @Test func seals() throws {
    let library = try TLSLibrary()
    var client = try Self.made(library, isClient: true)
    defer { client.free() }
    #expect(client.sealed(Self.payload) == Self.clientData)
    var room = [UInt8](repeating: 0, count: RecordProtection.controlRecordBytesMax)
    let count = room.withUnsafeMutableBufferPointer {
      client.sealAlert(.closeNotify, isFatal: false, to: $0.baseAddress!)
    }
    #expect(Array(room[..<count]) == Self.clientClose)
  }

  @Test func opens() throws {
    let library = try TLSLibrary()
    var server = try Self.made(library, isClient: false)
    var client = try Self.made(library, isClient: true)
    defer {
      server.free()
      client.free()
    }
    #expect(server.opened(Self.clientData) == .content(type: 23, Self.payload))
    guard case .content(RecordHeader.alert, let alert) = server.opened(Self.clientClose) else {
      Issue.record("the alert is not opened")
      return
    }
    var reader = RecordReader(isClient: false, isTLS13: true)
    #expect(alert.withView { reader.control(type: 21, content: $0, protection: &server) } == .closed)
    // A ticket came first.
    client.forgeSequences(read: 1, write: 0)
    #expect(client.opened(Self.serverData) == .content(type: 23, Self.payload))
  }
}
