"""A bar chart as SVG, for light and dark pages: what each proxy costs relative to the cheapest peer."""

from xml.sax.saxutils import escape

COLORS = {"floor": "#8c8c8c", "envoy": "#b07aa1", "haproxy": "#4e79a7", "nginx": "#59a14f", "nghttpx": "#d4a72c", "apus": "#e15759"}
WIDTH, LEFT, RIGHT, TOP = 820, 150, 150, 64
BAR, GAP, GROUP_GAP = 13, 3, 16
CLIPPED = 4.0  # longer bars are cut and say their value


def relative(values):
    """Proxy -> value over the best peer's; floor and apus are no peers."""
    peers = [value for name, value in values.items() if name not in ("floor", "apus")]
    return {name: value / min(peers) for name, value in values.items()} if peers and min(peers) > 0 else {}


def svg(groups, caption):
    """`groups`: title -> proxy -> value, lower is better."""
    groups = {title: found for title, values in groups.items() if (found := relative(values))}
    scale = (WIDTH - LEFT - RIGHT) / CLIPPED
    pieces, y = [], TOP
    for title, values in groups.items():
        height = len(values) * (BAR + GAP) - GAP
        pieces.append(f'<text class="group" x="{LEFT - 12}" y="{y + height / 2 + 5:.1f}" text-anchor="end">{escape(title)}</text>')
        for name, value in values.items():
            width = min(value, CLIPPED) * scale
            mine = ' class="mine"' if name == "apus" else ""
            more = " →" if value > CLIPPED else ""
            pieces.append(f'<rect x="{LEFT}" y="{y}" width="{width:.1f}" height="{BAR}" fill="{COLORS.get(name, "#76b7b2")}"/>')
            pieces.append(f'<text{mine} x="{LEFT + width + 6:.1f}" y="{y + BAR - 2.5}">{escape(name)} {value:.2f}{more}</text>')
            y += BAR + GAP
        y += GROUP_GAP
    line = LEFT + scale
    rule = f'<line x1="{line:.1f}" y1="{TOP - 8}" x2="{line:.1f}" y2="{y - GROUP_GAP + 4}"/>'
    head = (
        f'<text class="title" x="{LEFT}" y="24">Cost relative to the cheapest peer (1.0), lower is better</text>'
        f'<text class="caption" x="{LEFT}" y="44">{escape(caption)}</text>'
    )
    style = (
        "text{font:11px system-ui,sans-serif;fill:#333}.title{font-size:15px;font-weight:600}.group{font-size:13px}"
        ".mine{font-weight:700}line{stroke:#999;stroke-dasharray:3 3}"
        "@media(prefers-color-scheme:dark){text{fill:#ddd}line{stroke:#777}}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" width="{WIDTH}" height="{y}" role="img">'
        f"<style>{style}</style>{head}{rule}{''.join(pieces)}</svg>\n"
    )
