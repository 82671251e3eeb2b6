import HTTPCore
import Primitives

extension Worker {
  /// Appends the fields of a map to another, with texts in the arena of that: it may outlive the first.
  func copyFields(from source: UnsafeMutablePointer<HeaderMap>, to target: UnsafeMutablePointer<HeaderMap>) {
    for i in 0..<source.pointee.slotCount {
      let field = source.pointee[slot: i]
      if field.isRemoved { continue }
      let name = field.known == .other ? target.pointee.copy(field.name) : ByteView(field.known.name)
      target.pointee.append(
        name: name, value: target.pointee.copy(field.value), known: field.known, isSensitive: field.isSensitive)
    }
  }
}
