import HTTPCore
import Primitives

/// A request of HTTP/2 ready to be sent again and again by one thread: its fields as flat memory.
///
/// Trivial; whoever makes it calls ``deallocate()`` once.
struct CompiledHTTP2Request {
  private struct Field {
    var name: CompiledPieces
    var known: KnownHeader
    var value: CompiledPieces
  }

  private let fields: UnsafeMutablePointer<Field>
  private let fieldCount: Int
  /// Of the map that is the same each time.
  private let arena: UnsafeMutablePointer<Arena>
  private let fixed: HeaderMap?
  let body: CompiledBody
  let isHead: Bool
  let isGRPC: Bool

  init(_ layout: HTTP2RequestLayout, _ arenas: ArenaPool) {
    isHead = layout.method == .head
    isGRPC = layout.isGRPC
    body = CompiledBody(layout.body)
    fieldCount = layout.fields.count
    fields = .allocate(capacity: fieldCount)
    for (index, field) in layout.fields.enumerated() {
      let name = CompiledPieces([.template(.literal(Array(field.name.utf8)))])
      let known = name.fixed.map { KnownHeaderTable.shared.find($0) } ?? .other
      (fields + index).initialize(to: Field(name: name, known: known, value: CompiledPieces(field.value)))
    }
    arena = .allocate(capacity: 1)
    arena.initialize(to: Arena(pool: arenas))
    guard body.isFixed, (0..<fieldCount).allSatisfy({ [fields] in fields[$0].value.isFixedButLength }) else {
      fixed = nil
      return
    }
    var random = FastRandom(seed: 0)
    fixed = Self.map(
      fields, fieldCount, in: arena, sequence: 0, bodyBytes: body.drawCount(&random), &random)
  }

  func deallocate() {
    for index in 0..<fieldCount {
      fields[index].name.deallocate()
      fields[index].value.deallocate()
    }
    fields.deallocate()
    arena.pointee.reset()
    arena.deallocate()
    body.deallocate()
  }

  /// The head of the next request.
  /// - Parameter turn: Memory for what changes; lives until the head is packed.
  @inline(__always)
  func head(
    _ turn: UnsafeMutablePointer<Arena>, sequence: UInt64, bodyBytes: Int, _ random: inout FastRandom
  ) -> HeaderMap {
    if let fixed { return fixed }
    return Self.map(fields, fieldCount, in: turn, sequence: sequence, bodyBytes: bodyBytes, &random)
  }

  @inline(never)
  private static func map(
    _ fields: UnsafeMutablePointer<Field>, _ count: Int, in arena: UnsafeMutablePointer<Arena>, sequence: UInt64,
    bodyBytes: Int, _ random: inout FastRandom
  ) -> HeaderMap {
    var map = HeaderMap(arena: arena, capacity: count)
    for index in 0..<count {
      let field = fields[index]
      let value: ByteView
      if let fixed = field.value.fixed {
        value = fixed
      } else {
        let target = arena.pointee.allocate(field.value.bytesMax)
        value = ByteView(
          target, field.value.write(to: target, sequence: sequence, bodyBytes: bodyBytes, &random))
      }
      map.append(name: field.name.fixed ?? .empty, value: value, known: field.known)
    }
    return map
  }
}
