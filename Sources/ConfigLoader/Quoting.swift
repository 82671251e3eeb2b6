/// A value from the input as an error shows it: no control characters, of bounded length.
func quotable(_ text: String) -> String {
  var shown = ""
  for (count, scalar) in text.unicodeScalars.enumerated() {
    if count == 64 { return shown + "..." }
    if scalar.properties.generalCategory == .control || scalar == "\"" || scalar == "\\" {
      shown += scalar.escaped(asASCII: false)
    } else {
      shown.unicodeScalars.append(scalar)
    }
  }
  return shown
}

func quoted(_ text: String) -> String { "\"\(quotable(text))\"" }

/// `"a"`, `"a" or "b"`, `"a", "b" or "c"`.
func alternatives(_ names: [String]) -> String {
  let shown = names.map(quoted)
  guard let last = shown.last, shown.count > 1 else { return shown.first ?? "" }
  return shown.dropLast().joined(separator: ", ") + " or " + last
}
