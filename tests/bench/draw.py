"""Draws results.svg from results.json: how fast each program was, and what it needed for that.

    python3 tests/bench/draw.py results.json results.svg
"""

import json
import sys
from xml.sax.saxutils import escape

import table

SHOWN = ["up", "down", "puts", "gets"]
WIDTH, LEFT, BAR = 960, 70, 18  # of a panel: half the width
STYLE = """
text { font: 12px system-ui, sans-serif; fill: #1f2328; }
.title { font-weight: 600; font-size: 13px; }
.note { fill: #59636e; font-size: 11px; }
.haul { fill: #0969da; } .floor { fill: #8c959f; } .peer { fill: #d4a72c; }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc; } .note { fill: #9198a1; }
  .haul { fill: #4493f8; } .floor { fill: #656c76; } .peer { fill: #bb8009; }
}"""


def panel(work, x, y):
    """SVG of one work's bars: longer is faster. And its height."""
    results = [r for role in ("haul", "floor", "peer") for r in table.of_role(work, role)
               if r["setting"] == ""]
    if work["results"] and not results:
        return "", 0
    best = max(table.rate(work, r) for r in results)
    room = WIDTH / 2 - LEFT - 255
    unit, scale = ("MB/s", 1e6) if work["unit"] == "bytes" else (f"{work['unit']}/s", 1)
    lines = [f'<text class="title" x="{x}" y="{y + 14}">{escape(work["about"])}</text>']
    for n, result in enumerate(results):
        top, rate = y + 26 + n * (BAR + 4), table.rate(work, result)
        length = max(2, rate / best * room)
        needs = (f"{table.middle(result, 'cpu'):.3g} s CPU, "
                 f"{max(table.values(result, 'mib')):.0f} MiB")
        lines += [
            f'<text x="{x + LEFT - 8}" y="{top + 13}" text-anchor="end">'
            f'{escape(result["who"])}</text>',
            f'<rect class="{result["role"]}" x="{x + LEFT}" y="{top}" width="{length:.1f}" '
            f'height="{BAR}" rx="2"/>',
            f'<text x="{x + LEFT + length + 6:.1f}" y="{top + 13}">'
            f'{table.number(rate / scale)} {unit}'
            f'<tspan class="note" dx="6">{needs}</tspan></text>']
    return "\n".join(lines), 26 + len(results) * (BAR + 4) + 18


def picture(whole):
    by_name = {work["name"]: work for work in whole.get("bench", {}).get("works", [])}
    works = [by_name[name] for name in SHOWN if name in by_name]
    parts, y = [], 8
    for pair in (works[i:i + 2] for i in range(0, len(works), 2)):
        drawn = [panel(work, 16 + n * WIDTH // 2, y) for n, work in enumerate(pair)]
        parts += [lines for lines, _ in drawn]
        y += max(height for _, height in drawn)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" width="{WIDTH}" '
            f'height="{y}" role="img">\n<title>Speed of haul, bare libcurl (floor) and others'
            f'</title>\n<style>{STYLE}\n</style>\n' + "\n".join(parts) + "\n</svg>\n")


if __name__ == "__main__":
    with open(sys.argv[1]) as source, open(sys.argv[2], "w") as target:
        target.write(picture(json.load(source)))
