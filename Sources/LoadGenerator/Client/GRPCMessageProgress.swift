import Primitives

/// The one message of an answer (grpc.io, "gRPC over HTTP2", Length-Prefixed-Message), cut at any byte.
struct GRPCMessageProgress {
  private var prefixLeft: UInt8 = 5
  private var isCompressed = false
  private var left: UInt32 = 0
  /// A compressed message, which nobody asked for, or more than one.
  private(set) var isBroken = false

  /// Takes the prefix, or what there is of it.
  /// - Returns: The part of `piece` that is content.
  mutating func take(_ piece: ByteView) -> ByteView {
    var rest = piece
    while prefixLeft > 0, rest.count > 0 {
      if prefixLeft == 5 {
        isCompressed = rest[0] != 0
      } else {
        left = left << 8 | UInt32(rest[0])
      }
      prefixLeft -= 1
      rest = rest.dropFirst(1)
    }
    if isCompressed || rest.count > Int(left) {
      isBroken = true
      return .empty
    }
    left -= UInt32(rest.count)
    return rest
  }

  /// Nothing came, or one message to its end.
  var isWhole: Bool { !isBroken && (prefixLeft == 5 || prefixLeft == 0 && left == 0) }
}
