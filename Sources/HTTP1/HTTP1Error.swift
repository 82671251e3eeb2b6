/// Why a message was refused.
///
/// Every case is a fault of the peer that sent the message. ``status`` is the answer to a client;
/// a fault of an upstream's response becomes 502 whatever the case, which is the caller's choice.
public enum HTTP1Error: UInt8, Error, CaseIterable, Sendable {
  // Start line
  /// The method is not a token, or too long (RFC 9110 section 9.1).
  case badMethod = 1
  /// The request target has no valid form, or one that does not go with the method
  /// (RFC 9112 section 3.2).
  case badTarget
  /// The target holds `#`: fragments are never sent (RFC 9112 section 3.2).
  case fragmentInTarget
  /// No `HTTP/d.d` where the version belongs (RFC 9112 section 2.3).
  case badVersion
  /// A well-formed version whose major number is not 1.
  case unsupportedVersion
  /// The client connection preface of HTTP/2 (RFC 9113 section 3.4).
  case http2Preface
  /// HTTP/1.0 while the options do not accept it.
  case http10Refused
  /// The status line of a response is malformed (RFC 9112 section 4).
  case badStatusLine

  // Size
  /// The head is longer than ``HTTP1Limits/headBytesMax``.
  case headTooLarge
  /// More fields than ``HTTP1Limits/fieldCountMax``.
  case tooManyFields

  // Field syntax
  /// The name is empty, not a token, or followed by white space (RFC 9112 section 5.1).
  case badFieldName
  /// A control character in a value (RFC 9110 section 5.5).
  case badFieldValue
  /// A line that begins with white space (RFC 9112 section 5.2).
  case obsoleteFold
  /// LF without CR (RFC 9112 section 2.2).
  case bareLineFeed
  /// CR without LF (RFC 9112 section 2.2).
  case bareCarriageReturn
  /// A name with `_` while the options refuse it.
  case underscoreName

  // Field meaning
  /// HTTP/1.1 without Host, or an empty one (RFC 9112 section 3.2).
  case missingHost
  /// More than one Host (RFC 9112 section 3.2).
  case multipleHosts
  /// Host or the target's authority is not a host with an optional port (RFC 9110 section 7.2).
  case badHost
  /// Connection names a field that must not be removed (RFC 9110 section 7.6.1).
  case badConnectionOption
  /// Content-Length is not a number within 0...2^63-1 (RFC 9110 section 8.6).
  case badLength
  /// Content-Length more than once, or as a list (RFC 9112 section 6.3).
  case conflictingLength
  /// Content-Length together with Transfer-Encoding (RFC 9112 section 6.1).
  case lengthAndChunked
  /// A Transfer-Encoding other than a single `chunked` (RFC 9112 section 6.1).
  case unsupportedTransferEncoding
  /// Transfer-Encoding in HTTP/1.0 (RFC 9112 section 6.1).
  case transferEncodingInHTTP10
  /// CONNECT with content (RFC 9110 section 9.3.6).
  case connectWithBody
  /// Transfer-Encoding in a 1xx or 204 response (RFC 9112 section 6.1).
  case transferEncodingNotAllowed
  /// A Content-Length other than 0 in a 1xx or 204 response (RFC 9110 section 8.6).
  case lengthNotAllowed

  // Chunks
  /// A chunk line is not hexadecimal digits with valid extensions (RFC 9112 section 7.1).
  case badChunkSize
  /// A chunk of 2^63 bytes or more, or a chunk line above ``HTTP1Limits/chunkLineBytesMax``.
  case chunkTooLarge
  /// A chunk's data are not followed by CRLF.
  case badChunkEnd
  /// The trailer section is malformed or above ``HTTP1Limits/trailerBytesMax``.
  case badTrailer
}

extension HTTP1Error {
  /// The status code that tells a client of this fault.
  public var status: UInt16 {
    switch self {
    case .headTooLarge, .tooManyFields: 431
    case .http10Refused: 426
    case .unsupportedVersion, .http2Preface: 505
    case .unsupportedTransferEncoding: 501
    default: 400
    }
  }

  /// The response code detail for access logs: Envoy's name where Envoy tells the cases apart.
  public var detail: StaticString {
    switch self {
    case .headTooLarge: "http1.headers_too_large"
    case .tooManyFields: "http1.too_many_headers"
    case .badTarget: "http1.invalid_url"
    case .fragmentInTarget: "path_with_fragment"
    case .http10Refused: "low_version"
    case .underscoreName: "http1.unexpected_underscore"
    case .missingHost: "missing_host_header"
    case .badHost: "http.invalid_authority"
    case .badFieldValue, .badFieldName: "http1.invalid_characters"
    case .badConnectionOption: "http1.connection_header_rejected"
    case .lengthAndChunked: "http1.content_length_and_chunked_not_allowed"
    case .unsupportedTransferEncoding, .transferEncodingInHTTP10:
      "http1.invalid_transfer_encoding"
    case .connectWithBody: "http1.body_disallowed"
    case .transferEncodingNotAllowed: "http1.transfer_encoding_not_allowed"
    case .lengthNotAllowed: "http1.content_length_not_allowed"
    default: "http1.codec_error"
    }
  }
}
