import Glibc
import Stats
import StatsSinks

func makeRegistry(slabs: Int = 2) throws -> StatsRegistry {
  try StatsRegistry(slabCount: slabs, options: .init(slabBytes: 64 << 20))
}

func lines(_ flush: StatsFlush, _ format: StatsdFormat = StatsdFormat()) -> [String] {
  var lines: [String] = []
  StatsdLineBuilder(format: format).build(flush) { lines.append(String(decoding: $0, as: UTF8.self)) }
  return lines
}

struct SocketError: Error { let errno: Int32 }

/// A socket on the loopback address with a port the system chose. Reads give up after ten seconds.
final class LoopbackSocket {
  let descriptor: Int32
  let port: UInt16

  /// - Parameter listens: False: connections are refused, and nobody else is given the port.
  init(stream: Bool, v6: Bool = false, port: UInt16 = 0, listens: Bool = true) throws {
    let type = stream ? SOCK_STREAM : SOCK_DGRAM
    descriptor = socket(v6 ? AF_INET6 : AF_INET, Int32(type.rawValue), 0)
    self.port = Self.bind(descriptor, v6: v6, port: port)
    guard self.port != 0, !stream || !listens || listen(descriptor, 4) == 0 else {
      throw SocketError(errno: errno)
    }
    Self.limitReads(descriptor)
  }

  /// The port, or 0 when that failed.
  private static func bind(_ descriptor: Int32, v6: Bool, port: UInt16) -> UInt16 {
    var one: Int32 = 1
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
    var storage = sockaddr_storage()
    var length = socklen_t(
      v6 ? MemoryLayout<sockaddr_in6>.size : MemoryLayout<sockaddr_in>.size)
    let result = withUnsafeMutablePointer(to: &storage) { pointer -> Int32 in
      if v6 {
        pointer.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) {
          $0.pointee.sin6_family = sa_family_t(AF_INET6)
          $0.pointee.sin6_addr = in6addr_loopback
          $0.pointee.sin6_port = port.bigEndian
        }
      } else {
        pointer.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
          $0.pointee.sin_family = sa_family_t(AF_INET)
          $0.pointee.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
          $0.pointee.sin_port = port.bigEndian
        }
      }
      return pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        let result = Glibc.bind(descriptor, $0, length)
        return result == 0 ? getsockname(descriptor, $0, &length) : result
      }
    }
    guard result == 0 else { return 0 }
    // The port is at the same place in both families.
    return withUnsafeBytes(of: storage) {
      UInt16(bigEndian: $0.loadUnaligned(fromByteOffset: 2, as: UInt16.self))
    }
  }

  deinit { close(descriptor) }

  /// Of datagrams: whoever sends is refused from now on, and nobody else is given the port. A socket that is
  /// connected, here to itself, hears only its peer.
  func refuseAll() -> Bool {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    address.sin_port = port.bigEndian
    return withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
      }
    }
  }

  static func limitReads(_ descriptor: Int32) {
    var limit = timeval(tv_sec: 10, tv_usec: 0)
    setsockopt(
      descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
  }

  /// The next datagram.
  func receive() throws -> String {
    try Self.receive(descriptor)
  }

  static func receive(_ descriptor: Int32) throws -> String {
    var bytes = [UInt8](repeating: 0, count: 65_536)
    let count = recv(descriptor, &bytes, bytes.count, 0)
    guard count >= 0 else { throw SocketError(errno: errno) }
    return String(decoding: bytes[..<count], as: UTF8.self)
  }

  /// What a stream's next connection sends until it holds `lineCount` lines or ends.
  func acceptAndRead(lineCount: Int) throws -> String {
    let connection = accept(descriptor, nil, nil)
    guard connection >= 0 else { throw SocketError(errno: errno) }
    defer { close(connection) }
    Self.limitReads(connection)
    var text = ""
    while text.count(where: { $0 == "\n" }) < lineCount {
      let more = try Self.receive(connection)
      if more.isEmpty { break }
      text += more
    }
    return text
  }
}
