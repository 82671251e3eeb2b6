import HTTPCore
import Primitives

/// The fields of a map that are not removed, as `name: value` in order.
package func describe(_ map: HeaderMap) -> [String] {
  (0..<map.slotCount).compactMap { slot in
    let field = map[slot: slot]
    if field.isRemoved { return nil }
    let known = KnownHeaderTable.shared.find(field.name)
    precondition(field.known == known || field.known.isPseudo)
    return "\(field.name.string): \(field.value.string)"
  }
}

extension String {
  /// Bytes of a message written with one byte per Unicode scalar below 256.
  package var wire: [UInt8] { unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) } }
}
