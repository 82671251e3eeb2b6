internal import CURing
internal import Glibc
public import Primitives

extension SocketAddress {
  /// Reads the kernel's form. Nil for families other than IPv4, IPv6 and Unix.
  public init?(_ raw: UnsafeRawPointer, length: Int) {
    guard length >= MemoryLayout<sa_family_t>.size else { return nil }
    switch Int32(raw.loadUnaligned(as: sa_family_t.self)) {
    case AF_INET where length >= MemoryLayout<sockaddr_in>.size:
      let address = raw.loadUnaligned(as: sockaddr_in.self)
      self = .ip(
        IPAddress(v4: UInt32(bigEndian: address.sin_addr.s_addr)),
        port: UInt16(bigEndian: address.sin_port))
    case AF_INET6 where length >= MemoryLayout<sockaddr_in6>.size:
      let address = raw.loadUnaligned(as: sockaddr_in6.self)
      self = .ip(
        IPAddress(address.sin6_addr).unmapped, port: UInt16(bigEndian: address.sin6_port))
    case AF_UNIX:
      let offset = MemoryLayout<sa_family_t>.size
      let bytes = UnsafeRawBufferPointer(start: raw + offset, count: length - offset)
      let isAbstract = bytes.first == 0 && bytes.count > 1
      let path = isAbstract ? bytes.dropFirst() : bytes.prefix { $0 != 0 }
      self = .pipe((isAbstract ? "@" : "") + String(decoding: path, as: UTF8.self))
    default:
      return nil
    }
  }

  public var family: Int32 {
    switch self {
    case .ip(let address, _): address.family == .v4 ? AF_INET : AF_INET6
    case .pipe: AF_UNIX
    }
  }
}

/// An address in the kernel's layout, as `connect` and `bind` want it. Trivial, 128 bytes.
public struct KernelAddress: @unchecked Sendable {
  // Sendable: plain bytes.
  var storage = sockaddr_storage()
  public private(set) var length: UInt32 = 0

  /// - Returns: nil when a pipe's path does not fit (107 bytes).
  public init?(_ address: SocketAddress) {
    switch address {
    case .ip(let ip, let port) where ip.family == .v4:
      var four = sockaddr_in()
      four.sin_family = sa_family_t(AF_INET)
      four.sin_port = port.bigEndian
      four.sin_addr.s_addr = ip.v4.bigEndian
      store(four)
    case .ip(let ip, let port):
      var six = sockaddr_in6()
      six.sin6_family = sa_family_t(AF_INET6)
      six.sin6_port = port.bigEndian
      withUnsafeMutableBytes(of: &six.sin6_addr) {
        $0.storeBytes(of: ip.high.bigEndian, toByteOffset: 0, as: UInt64.self)
        $0.storeBytes(of: ip.low.bigEndian, toByteOffset: 8, as: UInt64.self)
      }
      store(six)
    case .pipe(let path):
      var bytes = Array(path.utf8)
      let isAbstract = bytes.first == UInt8(ascii: "@")
      if isAbstract { bytes[0] = 0 }
      let offset = MemoryLayout<sa_family_t>.size
      guard bytes.count + (isAbstract ? 0 : 1) <= MemoryLayout<sockaddr_un>.size - offset else {
        return nil
      }
      withUnsafeMutableBytes(of: &storage) {
        $0.storeBytes(of: sa_family_t(AF_UNIX), as: sa_family_t.self)
        for (i, byte) in bytes.enumerated() { $0[offset + i] = byte }
      }
      length = UInt32(offset + bytes.count + (isAbstract ? 0 : 1))
    }
  }

  private mutating func store<T>(_ value: T) {
    withUnsafeMutableBytes(of: &storage) { $0.storeBytes(of: value, as: T.self) }
    length = UInt32(MemoryLayout<T>.size)
  }

  public func withPointer<R>(_ body: (UnsafeRawPointer) -> R) -> R {
    withUnsafePointer(to: storage) { body(UnsafeRawPointer($0)) }
  }
}
