/// The look of the page. Colours can be told apart with any kind of colour vision (after Okabe and Ito), lines from
/// the fifth on are dashed as well.
enum PageStyle {
  /// Runs with colours of their own; then they repeat.
  static let runColours = 8

  /// The class of a run's colour, or of the one that is nobody's.
  static func colour(_ run: Int?) -> String { "c\(run.map { $0 % runColours } ?? runColours)" }

  private static let light = [
    "#0072b2", "#d55e00", "#009e73", "#b0468a", "#a87900", "#3f9bd8", "#8a2d00", "#5c4bb5", "#8a8f98",
  ]
  private static let dark = [
    "#56b4e9", "#f0803c", "#2cc99b", "#e39ac4", "#f0e442", "#8fc8f5", "#e69f00", "#b3a5ff", "#8a929e",
  ]

  static var css: String {
    """
    :root{color-scheme:light dark;--back:#fff;--card:#f6f7f9;--text:#1c2026;--soft:#59616c;--rule:#dfe3e8;\
    --better:#006b4e;--worse:#a63c00;--warn:#fff4d6;\(variables(light))}
    @media(prefers-color-scheme:dark){:root{--back:#14171b;--card:#1c2026;--text:#e8eaed;--soft:#a3abb6;\
    --rule:#333a43;--better:#4fd6ab;--worse:#ff9a66;--warn:#3a3013;\(variables(dark))}}
    *{box-sizing:border-box}
    body{margin:0 auto;padding:24px;max-width:1240px;background:var(--back);color:var(--text);\
    font:15px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
    h1{font-size:24px;margin:0 0 16px}
    h2{font-size:18px;margin:32px 0 10px}
    p{margin:6px 0}
    .soft,.empty{color:var(--soft)}
    .scroll{overflow-x:auto}
    table{border-collapse:collapse;font-variant-numeric:tabular-nums}
    th,td{padding:5px 14px 5px 0;text-align:right;vertical-align:top;border-bottom:1px solid var(--rule);\
    white-space:nowrap}
    th:first-child,td:first-child,.words th,.words td{text-align:left}
    th{font-weight:600;max-width:260px;overflow:hidden;text-overflow:ellipsis}
    td:first-child{font-weight:600;max-width:340px;min-width:200px;white-space:normal;overflow-wrap:break-word}
    .words td,.words td:first-child{white-space:normal;min-width:100px;max-width:340px;overflow-wrap:break-word}
    td .soft{font-weight:400}
    code{font:13px/1.4 ui-monospace,"SF Mono",Menlo,Consolas,monospace}
    .ratio{display:inline-block;min-width:58px;color:var(--soft);font-size:13px}
    .better{color:var(--better)}.worse{color:var(--worse)}
    .warnings{margin:16px 0 0;padding:10px 14px 10px 32px;background:var(--warn);border-radius:8px}
    .charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,480px),1fr));gap:18px}
    figure{margin:0;padding:14px;background:var(--card);border-radius:8px;min-width:0}
    figcaption{font-weight:600}
    .unit{margin-left:10px;color:var(--soft);font-weight:400;font-size:13px}
    .legend{display:flex;flex-wrap:wrap;gap:2px 16px;margin:4px 0 6px;padding:0;list-style:none;font-size:13px;\
    overflow-wrap:anywhere}
    .key{width:26px;height:10px;margin-right:6px}
    figure>svg{display:block;width:100%;height:auto}
    svg text{fill:var(--soft);font-size:12px}
    .grid{stroke:var(--rule);stroke-width:1;fill:none}
    .axis{stroke:var(--soft);stroke-width:1;fill:none}
    .line{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}
    .c4,.c5,.c6,.c7{stroke-dasharray:9 4}
    .dashed{stroke-dasharray:2 5;stroke-width:1.5}
    .faint{opacity:.45}
    .dot{stroke:none}
    .ring{fill:none;stroke:var(--text);stroke-width:1.5}
    .hover{fill:transparent;stroke:none}.hover:hover{fill-opacity:.5}
    .swatch{display:inline-block;width:11px;height:11px;margin-right:7px;border-radius:3px;vertical-align:-1px}
    \(classes)
    @media print{body{max-width:none;padding:0}figure{break-inside:avoid}}
    """
  }

  private static func variables(_ colours: [String]) -> String {
    colours.enumerated().map { "--c\($0):\($1)" }.joined(separator: ";")
  }

  private static var classes: String {
    (0...runColours).map { n in
      ".line.c\(n){stroke:var(--c\(n))}.dot.c\(n),.hover.c\(n):hover{fill:var(--c\(n))}"
        + ".swatch.c\(n){background:var(--c\(n))}"
    }.joined(separator: "\n")
  }
}
