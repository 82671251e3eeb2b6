import COpenSSL
import Primitives

/// A certificate that the library has read.
final class Certificate {
  let pointer: OpaquePointer

  init(_ der: [UInt8]) throws(TLSSetupError) {
    var reason = [UInt8](repeating: 0, count: 160)
    let read = der.withUnsafeBufferPointer { der in
      reason.withUnsafeMutableBytes {
        copenssl_certificate_read(
          der.baseAddress, der.count, $0.baseAddress?.assumingMemoryBound(to: CChar.self), $0.count)
      }
    }
    guard let read else { throw TLSSetupError(String(decoding: reason.prefix { $0 != 0 }, as: UTF8.self)) }
    pointer = read
  }

  deinit { copenssl_certificate_free(pointer) }

  func text(_ text: copenssl_text) -> String {
    String(decoding: CertificateView(pointer: pointer).bytes(text), as: UTF8.self)
  }

  func eachName(_ body: (SubjectNameKind, ByteView, _ oid: ByteView) -> Void) {
    CertificateView(pointer: pointer).eachName(body)
  }
}

/// A certificate that somebody else owns.
struct CertificateView: BitwiseCopyable {
  let pointer: OpaquePointer

  func bytes(_ text: copenssl_text) -> [UInt8] {
    var room = [UInt8](repeating: 0, count: 512)
    var count = room.withUnsafeMutableBufferPointer { copenssl_certificate_text(pointer, text, $0.baseAddress, $0.count) }
    if count > room.count {
      room = [UInt8](repeating: 0, count: count)
      count = room.withUnsafeMutableBufferPointer { copenssl_certificate_text(pointer, text, $0.baseAddress, $0.count) }
    }
    return Array(room.prefix(count))
  }

  /// Calls `body` for each subject alternative name, in order; the views are valid within.
  func eachName(_ body: (SubjectNameKind, ByteView, _ oid: ByteView) -> Void) {
    withoutActuallyEscaping(body) { body in
      var argument = body
      withUnsafeMutablePointer(to: &argument) {
        copenssl_certificate_names(pointer, $0) { argument, kind, text, count, oid in
          guard let argument, let kind = SubjectNameKind(rawValue: UInt8(truncatingIfNeeded: kind.rawValue)) else { return }
          let body = argument.assumingMemoryBound(to: ((SubjectNameKind, ByteView, ByteView) -> Void).self)
          let name = text.map { ByteView($0, count) } ?? .empty
          guard let oid else { return body.pointee(kind, name, .empty) }
          var oidCount = 0
          while oid[oidCount] != 0 { oidCount += 1 }
          oid.withMemoryRebound(to: UInt8.self, capacity: oidCount) { body.pointee(kind, name, ByteView($0, oidCount)) }
        }
      }
    }
  }
}
