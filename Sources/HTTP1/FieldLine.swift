import Primitives

/// Which fault a byte is at its place in a field line; shared by everything that reads field lines.
enum FieldLine {
  /// At the beginning of a line, where a name or CR belongs.
  static func errorAtStart(_ byte: UInt8) -> HTTP1Error {
    switch byte {
    case 32, 9: .obsoleteFold
    case 10: .bareLineFeed
    default: .badFieldName
    }
  }

  /// In a name, where a token character or the colon belongs.
  static func errorInName(_ byte: UInt8) -> HTTP1Error {
    byte == 10 ? .bareLineFeed : .badFieldName
  }

  /// In a value.
  static func errorInValue(_ byte: UInt8) -> HTTP1Error {
    byte == 10 ? .bareLineFeed : .badFieldValue
  }
}
