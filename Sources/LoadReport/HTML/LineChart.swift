/// A chart as inline SVG.
struct LineChart {
  let title: String
  let x: ChartAxis
  let y: ChartAxis
  let series: [ChartSeries]
  /// Beside the title, behind the unit.
  var note = ""

  private let width = 560.0
  private let height = 300.0
  private let left = 70.0
  private let right = 22.0
  private let top = 12.0
  private let bottom = 46.0

  /// More points than this have no notes: they would be too close to point at.
  private let mostNotes = 400

  /// A `figure` with title, legend and drawing.
  var html: String {
    """
    <figure><figcaption>\(HTMLText.escaped(title))<span class="unit">\(HTMLText.escaped(y.title + note))</span></figcaption>
    \(legend)
    <svg viewBox="0 0 \(Int(width)) \(Int(height))" role="img" aria-label="\(HTMLText.escaped(title))">
    \(grid)
    \(series.map(line).joined(separator: "\n"))
    </svg></figure>

    """
  }

  private var legend: String {
    let items = series.map { one in
      let dash = one.isDashed ? " dashed" : ""
      return
        "<li><svg class=\"key\" viewBox=\"0 0 26 10\" aria-hidden=\"true\"><path class=\"line \(PageStyle.colour(one.colour))\(dash)\" d=\"M1 5H25\"/></svg>\(HTMLText.escaped(one.name))</li>"
    }
    let ring =
      series.contains { $0.ringed != nil }
      ? "<li><svg class=\"key\" viewBox=\"0 0 26 10\" aria-hidden=\"true\"><circle class=\"ring\" cx=\"13\" cy=\"5\" r=\"4\"/></svg>knee</li>"
      : ""
    return "<ul class=\"legend\">\(items.joined())\(ring)</ul>"
  }

  private var grid: String {
    var parts: [String] = []
    for tick in y.ticks {
      let at = text(down(tick.value))
      parts.append("<path class=\"grid\" d=\"M\(text(left)) \(at)H\(text(width - right))\"/>")
      parts.append(
        "<text x=\"\(text(left - 8))\" y=\"\(text(down(tick.value) + 4))\" text-anchor=\"end\">\(HTMLText.escaped(tick.label))</text>"
      )
    }
    for tick in x.ticks {
      let at = text(across(tick.value))
      parts.append("<path class=\"grid\" d=\"M\(at) \(text(top))V\(text(height - bottom))\"/>")
      parts.append(
        "<text x=\"\(at)\" y=\"\(text(height - bottom + 17))\" text-anchor=\"middle\">\(HTMLText.escaped(tick.label))</text>"
      )
    }
    let middle = text(left + (width - left - right) / 2)
    parts.append("<path class=\"axis\" d=\"M\(text(left)) \(text(top))V\(text(height - bottom))H\(text(width - right))\"/>")
    parts.append(
      "<text class=\"title\" x=\"\(middle)\" y=\"\(text(height - 8))\" text-anchor=\"middle\">\(HTMLText.escaped(x.title))</text>"
    )
    return parts.joined(separator: "\n")
  }

  private func line(_ one: ChartSeries) -> String {
    var parts: [String] = []
    let colour = PageStyle.colour(one.colour)
    for (index, piece) in one.pieces.enumerated() where !piece.isEmpty {
      var classes = "line \(colour)"
      if one.isDashed { classes += " dashed" }
      if one.isFaintAfterFirst, index > 0 { classes += " faint" }
      let moves = piece.map { "\(text(across($0.x))) \(text(down($0.y)))" }
      // A lone point is a line of no length, which round ends make a dot.
      let path = piece.count == 1 ? "M\(moves[0])h0" : "M" + moves.joined(separator: "L")
      parts.append("<path class=\"\(classes)\" d=\"\(path)\"/>")
    }
    let points = one.points
    if one.hasDots { parts += points.map { circle($0, "dot \(colour)", 3) } }
    if let ringed = one.ringed { parts.append(circle(ringed, "ring", 7)) }
    let noted = (one.notes ?? points).filter { !$0.note.isEmpty }
    if noted.count <= mostNotes {
      parts += noted.map { point in
        let x = text(across(point.x))
        let y = text(down(point.y))
        return
          "<circle class=\"hover \(colour)\" cx=\"\(x)\" cy=\"\(y)\" r=\"6\"><title>\(HTMLText.escaped(point.note))</title></circle>"
      }
    }
    return parts.joined(separator: "\n")
  }

  private func circle(_ point: ChartSeries.Point, _ classes: String, _ radius: Int) -> String {
    "<circle class=\"\(classes)\" cx=\"\(text(across(point.x)))\" cy=\"\(text(down(point.y)))\" r=\"\(radius)\"/>"
  }

  private func across(_ value: Double) -> Double { left + x.position(value) * (width - left - right) }
  private func down(_ value: Double) -> Double {
    height - bottom - y.position(value) * (height - top - bottom)
  }
  private func text(_ pixels: Double) -> String { NumberText.fixed(pixels, decimals: 1) }
}
