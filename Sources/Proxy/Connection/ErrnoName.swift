import Glibc

/// Names of error numbers that connections meet.
enum ErrnoName {
  /// Empty for one that is not known by name.
  static func of(_ errno: Int32) -> StaticString {
    switch errno {
    case EACCES: "EACCES"
    case EADDRINUSE: "EADDRINUSE"
    case EADDRNOTAVAIL: "EADDRNOTAVAIL"
    case EAFNOSUPPORT: "EAFNOSUPPORT"
    case EAGAIN: "EAGAIN"
    case ECONNABORTED: "ECONNABORTED"
    case ECONNREFUSED: "ECONNREFUSED"
    case ECONNRESET: "ECONNRESET"
    case EHOSTDOWN: "EHOSTDOWN"
    case EHOSTUNREACH: "EHOSTUNREACH"
    case EMFILE: "EMFILE"
    case ENETDOWN: "ENETDOWN"
    case ENETUNREACH: "ENETUNREACH"
    case ENFILE: "ENFILE"
    case ENOBUFS: "ENOBUFS"
    case ENOENT: "ENOENT"
    case ENOMEM: "ENOMEM"
    case EPERM: "EPERM"
    case EPIPE: "EPIPE"
    case ETIMEDOUT: "ETIMEDOUT"
    default: ""
    }
  }
}
