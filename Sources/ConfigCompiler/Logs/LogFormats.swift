import ConfigSchema
import Format
import SwiftProtobuf

extension CompilerPass {
  /// A compiled format, or nil after an error.
  func formatter(
    _ format: Envoy_Config_Core_V3_SubstitutionFormatString, _ path: String
  ) -> Formatter? {
    switch format.format {
    case .textFormat(let text):
      return formatter(text, omitEmptyValues: format.omitEmptyValues, "\(path).text_format")
    case .textFormatSource(let source):
      let place = "\(path).text_format_source"
      guard let text = text(source, place) else { return nil }
      if case .inlineString? = source.specifier {
        return formatter(
          text, omitEmptyValues: format.omitEmptyValues, "\(place).inline_string")
      }
      return formatter(text, omitEmptyValues: format.omitEmptyValues, place)
    case .jsonFormat(let object):
      do {
        let formatter = try Formatter(
          json: object.fields.mapValues(Self.json), omitEmptyValues: format.omitEmptyValues)
        tlsMentions.add(formatter)
        return formatter
      } catch {
        self.error("\(path).json_format", error.description)
        return nil
      }
    case nil:
      error(path, "a format is required")
      return nil
    }
  }

  func formatter(_ text: String, omitEmptyValues: Bool = false, _ path: String) -> Formatter? {
    do {
      let formatter = try Formatter(text: text, omitEmptyValues: omitEmptyValues)
      tlsMentions.add(formatter)
      return formatter
    } catch {
      self.error(path, error.description)
      return nil
    }
  }

  /// The Content-Type of a reply in this format.
  func contentType(_ format: Envoy_Config_Core_V3_SubstitutionFormatString) -> String {
    if !format.contentType.isEmpty { return format.contentType }
    if case .jsonFormat? = format.format { return "application/json" }
    return "text/plain"
  }

  private static func json(_ value: Google_Protobuf_Value) -> FormatJSON {
    switch value.kind {
    case .stringValue(let text): .text(text)
    case .numberValue(let number): .number(number)
    case .boolValue(let flag): .bool(flag)
    case .structValue(let object): .object(object.fields.mapValues(json))
    case .listValue(let list): .list(list.values.map(json))
    case .nullValue, nil: .null
    }
  }
}
