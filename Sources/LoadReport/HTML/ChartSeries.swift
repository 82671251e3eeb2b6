/// One line of a chart.
struct ChartSeries {
  struct Point {
    let x: Double
    let y: Double
    /// Shown when the pointer rests on the point.
    var note = ""
  }

  /// As the legend calls it; from outside, not yet escaped.
  let name: String
  /// The run whose colour it has; nil for nobody's.
  let colour: Int?
  /// Pieces of the line: there is a gap between two.
  var pieces: [[Point]]
  var isDashed = false
  /// Points are drawn as dots.
  var hasDots = false
  /// A point that is ringed.
  var ringed: Point?
  /// Pieces after the first are drawn faint: what they show is uncertain.
  var isFaintAfterFirst = false

  /// Points to rest the pointer on; those of the line when nil.
  var notes: [Point]?

  var points: [Point] { pieces.flatMap { $0 } }
}
