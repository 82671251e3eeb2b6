/// What the fuzzer runs: bytes in, and properties that must hold whatever the bytes are.
///
/// The same functions replay the corpus as a unit test, so a finding stays found.
package struct FuzzTarget: Sendable, CustomStringConvertible {
  /// Names the corpus folder, the dictionary and the argument of `tools/fuzz`.
  package let name: String
  /// Longest input worth trying, in bytes.
  package let bytesMax: Int
  /// Throws a ``Violation`` when a property does not hold.
  package let run: @Sendable ([UInt8]) throws -> Void

  package var description: String { name }

  package static let all: [FuzzTarget] = [
    .requestHead, .responseHead, .chunkedBody, .writer, .http2Frames, .http2Client, .proxyProtocol,
    .configuration, .statsd, .textFormat, .jsonFormat, .path, .routes, .regex, .clientHello, .tlsRecords,
    .tlsServer, .tlsClient, .certificate, .http2ToHTTP1, .http1ToHTTP2,
    .secretFile, .grpcWebText, .healthAnswer,
  ]

  package static func named(_ name: String) -> FuzzTarget? { all.first { $0.name == name } }
}
