import Glibc
import LoadReport

/// The terminal, or what stands in for it.
enum Console {
  /// One line to standard error, whatever the text quotes.
  static func complain(_ text: String) {
    let line = text.unicodeScalars.map { scalar in
      switch scalar.properties.generalCategory {
      case .control, .format, .lineSeparator, .paragraphSeparator: scalar.escaped(asASCII: true)
      default: String(scalar)
      }
    }
    write("apus-load: \(line.joined())\n", to: 2)
  }

  static func write(_ text: String, to descriptor: Int32 = 1) {
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
      let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return }
      bytes = bytes.dropFirst(count)
    }
  }

  /// Columns of the terminal that standard error is; nil when it is none.
  static var columns: Int? {
    guard isatty(2) == 1 else { return nil }
    var size = winsize()
    guard ioctl(2, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
    return Int(size.ws_col)
  }

  static var style: TextStyle {
    TextStyle(locale: ["LC_ALL", "LC_CTYPE", "LANG"].map { (name: String) in
      getenv(name).map { String(cString: $0) }
    })
  }
}
