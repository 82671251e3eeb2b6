internal import CSystem
internal import Glibc

/// Why io_uring cannot be used here, and what to do about it.
public struct RingError: Error, CustomStringConvertible {
  public let errno: Int32

  public init(errno: Int32) { self.errno = errno }

  public var description: String {
    let kernel = Self.kernelRelease
    let reason = String(cString: strerror(errno))
    switch errno {
    case EPERM, EACCES:
      return
        "io_uring is forbidden here (kernel \(kernel)): \(reason). Set the sysctl"
        + " kernel.io_uring_disabled to 0; in a container allow the io_uring_setup,"
        + " io_uring_enter and io_uring_register system calls in its seccomp profile."
    case ENOSYS:
      return
        "this kernel (\(kernel)) has no io_uring. Apus needs Linux 6.1 or newer; in a container,"
        + " its seccomp profile may hide the io_uring system calls: allow them."
    case EINVAL:
      return
        "this kernel (\(kernel)) is too old for the io_uring features that Apus needs"
        + " (SINGLE_ISSUER, DEFER_TASKRUN, provided buffer rings). Use Linux 6.1 or newer."
    case ENOMEM:
      return
        "io_uring could not get memory: \(reason). Raise the memory limit of the container or the"
        + " locked-memory limit (ulimit -l), or run fewer workers (--concurrency)."
    case EMFILE, ENFILE:
      return "no file descriptor left for io_uring: \(reason). Raise ulimit -n."
    default:
      return "io_uring could not be set up (kernel \(kernel)): \(reason)."
    }
  }

  static var kernelRelease: String {
    var room = [CChar](repeating: 0, count: 128)
    csystem_kernel_release(&room, Int32(room.count))
    return String(decoding: room.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
