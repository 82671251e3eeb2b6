extension CompilerPass {
  /// Checks the protocols that a list of `upgrade_configs` names, each at `path[i].upgrade_type`.
  func checkUpgradeTypes(_ types: [String], _ path: String) {
    var places: [String: Int] = [:]
    for (index, type) in types.enumerated() {
      let place = "\(path)[\(index)].upgrade_type"
      let key = type.lowercased()
      switch key {
      case "": error(place, "must not be empty")
      case "connect-udp": error(place, "CONNECT-UDP is not supported by apus yet")
      case "h2c": ignore(place, "has no effect: HTTP/2 over plaintext begins with its preface")
      default: break
      }
      if let other = places[key] {
        error(place, "\"\(type)\" is already named by \(path.split(separator: ".").last ?? "")[\(other)]")
      } else {
        places[key] = index
      }
    }
  }
}
