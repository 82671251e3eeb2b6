import ConfigSchema
import Format
import SwiftProtobuf

extension CompilerPass {
  func mutations(
    add: [Envoy_Config_Core_V3_HeaderValueOption], remove: [String], _ path: String
  ) -> HeaderMutationSpec {
    HeaderMutationSpec(
      additions: add.enumerated().map { addition($1, "\(path)_to_add[\($0)]") },
      removals: remove)
  }

  func addition(
    _ option: Envoy_Config_Core_V3_HeaderValueOption, _ path: String
  ) -> HeaderMutationSpec.Addition {
    var action: HeaderMutationSpec.AppendAction =
      switch option.appendAction {
      case .appendIfExistsOrAdd, .UNRECOGNIZED: .appendIfExistsOrAdd
      case .addIfAbsent: .addIfAbsent
      case .overwriteIfExistsOrAdd: .overwriteIfExistsOrAdd
      case .overwriteIfExists: .overwriteIfExists
      }
    if option.hasAppend {
      if option.appendAction != .appendIfExistsOrAdd {
        error("\(path).append", "append and append_action exclude each other")
      }
      action = option.append.value ? .appendIfExistsOrAdd : .overwriteIfExistsOrAdd
    }
    return HeaderMutationSpec.Addition(
      name: option.header.key, value: option.header.value, action: action,
      keepsEmptyValue: option.keepEmptyValue)
  }
}
