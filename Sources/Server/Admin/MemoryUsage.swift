import CSystem
import Glibc

/// `/memory`: what the allocator and the kernel say (`envoy.admin.v3.Memory`), in bytes.
struct MemoryUsage {
  let allocated: UInt64
  let heap: UInt64
  let free: UInt64
  let physical: UInt64

  static var current: MemoryUsage {
    var (allocated, heap, free): (UInt, UInt, UInt) = (0, 0, 0)
    csystem_memory(&allocated, &heap, &free)
    return MemoryUsage(
      allocated: UInt64(allocated), heap: UInt64(heap), free: UInt64(free),
      physical: residentBytes)
  }

  /// The second number of `/proc/self/statm`, which counts pages.
  private static var residentBytes: UInt64 {
    let descriptor = open("/proc/self/statm", O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return 0 }
    defer { close(descriptor) }
    var buffer = [UInt8](repeating: 0, count: 128)
    let count = read(descriptor, &buffer, buffer.count)
    guard count > 0 else { return 0 }
    let numbers = buffer[..<count].split(separator: UInt8(ascii: " "))
    guard numbers.count > 1, let pages = UInt64(String(decoding: numbers[1], as: UTF8.self))
    else { return 0 }
    return pages &* UInt64(max(0, sysconf(Int32(_SC_PAGESIZE))))
  }

  var json: JSONValue {
    // 64-bit numbers are strings in protobuf's JSON.
    func field(_ name: String, _ value: UInt64) -> JSONValue.Field {
      .init(name, .string(String(value)))
    }
    return .object([
      field("allocated", allocated), field("heap_size", heap), field("pageheap_unmapped", 0),
      field("pageheap_free", free), field("total_thread_cache", 0),
      field("total_physical_bytes", physical),
    ])
  }
}
