import Primitives

/// The redirects that a request has been through, in its stream's arena.
struct RedirectTrail {
  /// A route that a redirect was followed to, and the one that it came from.
  struct Step {
    let from: Int32
    let to: ByteView
    let previous: UnsafeMutablePointer<Step>?
  }

  var count: UInt32 = 0
  var last: UnsafeMutablePointer<Step>?

  func has(from: Int32, to name: ByteView) -> Bool {
    var next = last
    while let step = next {
      if step.pointee.from == from, step.pointee.to == name { return true }
      next = step.pointee.previous
    }
    return false
  }
}
