import ConfigLoader
import ConfigSchema
import Format
import Proxy
import SwiftProtobuf

extension CompilerPass {
  func accessLogs(
    _ protos: [Envoy_Config_Accesslog_V3_AccessLog], _ path: String
  ) -> AccessLogList {
    AccessLogList(protos.enumerated().compactMap { entry($1, "\(path)[\($0)]") })
  }

  private func entry(
    _ proto: Envoy_Config_Accesslog_V3_AccessLog, _ path: String
  ) -> AccessLogList.Entry? {
    let filter = proto.hasFilter ? accessLogFilter(proto.filter, "\(path).filter") : nil
    let place = "\(path).typed_config"
    guard proto.configType != nil else {
      error(path, "typed_config is required")
      return nil
    }
    let target: LogTarget
    let format: Formatter?
    let any = proto.typedConfig
    if let file = any.unpacked(as: Envoy_Extensions_AccessLoggers_File_V3_FileAccessLog.self) {
      let resolved = options.resolved(file.path)
      if let problem = LogPath.problem(resolved) {
        error("\(place).path", problem)
        return nil
      }
      target = .file(path: resolved)
      format = logFormat(file.accessLogFormat == nil ? nil : file.logFormat, place)
    } else if let stream = any.unpacked(
      as: Envoy_Extensions_AccessLoggers_Stream_V3_StdoutAccessLog.self)
    {
      target = .standardOutput
      format = logFormat(stream.accessLogFormat == nil ? nil : stream.logFormat, place)
    } else if let stream = any.unpacked(
      as: Envoy_Extensions_AccessLoggers_Stream_V3_StderrAccessLog.self)
    {
      target = .standardError
      format = logFormat(stream.accessLogFormat == nil ? nil : stream.logFormat, place)
    } else {
      error(place, "\"\(shown(any.messageName))\" is not an access log")
      return nil
    }
    guard let number = logTarget(target, place), let format else { return nil }
    return AccessLogList.Entry(target: number, formatter: format, filter: filter)
  }

  private func logFormat(
    _ format: Envoy_Config_Core_V3_SubstitutionFormatString?, _ path: String
  ) -> Formatter? {
    guard let format else { return formatter(Formatter.defaultText, path) }
    return formatter(format, "\(path).log_format")
  }

  func logTarget(_ target: LogTarget, _ path: String) -> UInt16? {
    if let number = state.logTargetNumbers[target] { return number }
    guard let number = UInt16(exactly: state.logTargets.count) else {
      error(path, "more than \(UInt16.max) log files since the process started")
      return nil
    }
    state.logTargets.append(target)
    state.logTargetNumbers[target] = number
    return number
  }
}
