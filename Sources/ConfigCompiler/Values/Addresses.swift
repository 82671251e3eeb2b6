import ConfigSchema
import Primitives
import Reactor
import SwiftProtobuf

extension CompilerPass {
  /// An address to bind or to connect to by TCP, or nil after an error.
  func streamAddress(_ address: Envoy_Config_Core_V3_Address, _ path: String) -> SocketAddress? {
    if case .socketAddress(let socket)? = address.address, socket.protocol == .udp {
      error("\(path).socket_address.protocol", "UDP is not supported by apus yet")
      return nil
    }
    return socketAddress(address, path)
  }

  func socketAddress(_ address: Envoy_Config_Core_V3_Address, _ path: String) -> SocketAddress? {
    switch address.address {
    case .socketAddress(let socket):
      guard let ip = IPAddress(socket.address) else {
        error(
          "\(path).socket_address.address",
          "\"\(shown(socket.address))\" is not an IP address (names are not resolved here)")
        return nil
      }
      return .ip(ip, port: UInt16(truncatingIfNeeded: socket.portValue))
    case .pipe(let pipe):
      let address = SocketAddress.pipe(pipe.path)
      guard KernelAddress(address) != nil, !pipe.path.utf8.contains(0) else {
        error("\(path).pipe.path", "a path of a socket has at most 107 bytes and no NUL")
        return nil
      }
      return address
    case nil:
      error(path, "an address is required")
      return nil
    }
  }

  func range(_ cidr: Envoy_Config_Core_V3_CidrRange, _ path: String) -> AddressRange? {
    guard let ip = IPAddress(cidr.addressPrefix) else {
      error("\(path).address_prefix", "\"\(shown(cidr.addressPrefix))\" is not an IP address")
      return nil
    }
    let length = Int(cidr.prefixLen.value)
    guard let range = AddressRange(ip, prefixLength: length) else {
      error("\(path).prefix_len", "must be at most \(ip.bitWidth), got \(length)")
      return nil
    }
    return range
  }

  func ranges(_ list: [Envoy_Config_Core_V3_CidrRange], _ path: String) -> [AddressRange] {
    list.enumerated().compactMap { range($1, "\(path)[\($0)]") }
  }
}
