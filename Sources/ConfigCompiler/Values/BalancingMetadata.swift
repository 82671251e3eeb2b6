import Balancing
import SwiftProtobuf

/// Metadata of hosts and routes (`envoy.lb`) as pairs whose equal values are equal bytes.
enum BalancingMetadata {
  static let namespace = "envoy.lb"

  /// Sorted by key.
  static func pairs(_ fields: Google_Protobuf_Struct) -> [MetadataPair] {
    fields.fields.sorted { $0.key < $1.key }.map { key, value in
      MetadataPair(key: bytes(key), value: canonical(value), elements: elements(value))
    }
  }

  static func bytes(_ key: String) -> [UInt8] { escaped(key) }

  private static func elements(_ value: Google_Protobuf_Value) -> [[UInt8]]? {
    guard case .listValue(let list)? = value.kind else { return nil }
    return list.values.map(canonical)
  }

  /// The kind of the value and what it says; without NUL, which ends a pair.
  static func canonical(_ value: Google_Protobuf_Value) -> [UInt8] {
    switch value.kind {
    case nil, .nullValue: Array("0".utf8)
    case .boolValue(let value): Array((value ? "t" : "f").utf8)
    // 0 and -0 are one number.
    case .numberValue(let number): Array("n\(number == 0 ? 0 : number)".utf8)
    case .stringValue(let text): Array("s".utf8) + escaped(text)
    case .listValue(let list):
      Array("[".utf8) + list.values.flatMap { sized(canonical($0)) }
    case .structValue(let inner):
      Array("{".utf8)
        + inner.fields.sorted { $0.key < $1.key }.flatMap { sized(escaped($0.key)) + sized(canonical($0.value)) }
    }
  }

  /// With its length in front, so that parts next to each other are not another part.
  private static func sized(_ bytes: [UInt8]) -> [UInt8] { Array("\(bytes.count):".utf8) + bytes }

  private static func escaped(_ text: String) -> [UInt8] {
    text.utf8.flatMap { byte -> [UInt8] in
      switch byte {
      case 0: Array("\\0".utf8)
      case UInt8(ascii: "\\"): Array("\\\\".utf8)
      default: [byte]
      }
    }
  }
}
