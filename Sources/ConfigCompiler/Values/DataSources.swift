import ConfigSchema

extension CompilerPass {
  /// The bytes that `source` names, or nil after an error.
  func bytes(_ source: Envoy_Config_Core_V3_DataSource, _ path: String) -> [UInt8]? {
    do throws(DataSourceReader.Failure) {
      if case .filename(let name)? = source.specifier, let known = material?.files[name] { return try known.get() }
      return try DataSourceReader(options: options).bytes(source)
    } catch {
      self.error("\(path).\(error.field)", error.reason)
      return nil
    }
  }

  /// The same as text.
  func text(_ source: Envoy_Config_Core_V3_DataSource, _ path: String) -> String? {
    guard let bytes = bytes(source, path) else { return nil }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      error(path, "is not UTF-8")
      return nil
    }
    return text
  }
}
