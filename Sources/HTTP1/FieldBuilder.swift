import HTTPCore
import Primitives

/// Moves the fields of a table into a header map.
enum FieldBuilder {
  @inline(__always)
  static func append(
    _ table: borrowing FieldTable, _ copied: UnsafeMutablePointer<UInt8>, keepUpgrade: Bool,
    _ map: inout HeaderMap
  ) {
    let fields = table.fields
    let count = table.count
    var i = 0
    while i < count {
      let field = fields[i]
      i &+= 1
      var value = ByteView(copied + Int(field.valueStart), Int(field.valueLength))
      if !field.flags.isEmpty {
        if field.flags.contains(.dropped) { continue }
        if field.flags.contains(.upgrade), !keepUpgrade { continue }
        if field.flags.contains(.trailersAccepted) { value = ByteView("trailers") }
      }
      if field.known == .other {
        let name = copied + Int(field.nameStart)
        LowerCase.fold(name, Int(field.nameLength))
        map.append(
          name: ByteView(name, Int(field.nameLength)), value: value, known: .other)
      } else {
        map.append(name: table.knownHeaders.name(field.known), value: value, known: field.known)
      }
    }
  }
}
