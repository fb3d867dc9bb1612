"""Attention as one self-contained HTML page that shows each weight under the pointer."""

import html
from collections.abc import Sequence
from string import Template

from mt.pictures._drawing import INK, ORANGE
from mt.pictures._labels import AttentionItem, label

__all__ = ["attention_page"]

PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Attention</title>
<style>
  body { font: 15px/1.4 system-ui, sans-serif; color: $ink; margin: 2rem; }
  figure { margin: 0 0 3rem; overflow: hidden; padding: 1px; }
  table { border-spacing: 1px; }
  th { font-weight: normal; padding: 0 .4em; white-space: nowrap; }
  thead th { writing-mode: vertical-rl; rotate: 180deg; text-align: left; padding: .4em 0; }
  tbody th { text-align: right; }
  td { position: relative; width: 1.9em; height: 1.9em; padding: 0; text-align: center; font-size: 75%;
       background: linear-gradient(rgb(11 74 143 / var(--w)) 0 0) #f4f6f9; color: transparent; cursor: crosshair; }
  td:hover { outline: 2px solid $orange; color: $ink; }
  td.dark:hover { color: white; }
  td:hover::after { content: ""; position: absolute; inset: -999rem 0; pointer-events: none;
                    border: solid $orange; border-width: 0 1px; }
  tr:hover th { color: $orange; font-weight: 600; }
  caption { caption-side: bottom; text-align: left; padding-top: .6em; color: #666; }
</style>
</head>
<body>
$figures
</body>
</html>
""")


def attention_page(items: Sequence[AttentionItem]) -> str:
    """Return the page, one table per sentence."""
    figures = "\n".join(_attention_table(item) for item in items)
    return PAGE.substitute(figures=figures, ink=INK, orange=ORANGE)


def _attention_table(item: AttentionItem) -> str:
    source = [html.escape(label(piece)) for piece in item.source_pieces]
    target = [html.escape(label(piece)) for piece in item.target_pieces]
    lines = ["<figure><table>", "<caption>source across, translation down</caption>", "<thead><tr><td></td>"]
    lines += [f'<th scope="col">{piece}</th>' for piece in source]
    lines += ["</tr></thead>", "<tbody>"]
    for piece, row in zip(target, item.weights, strict=True):
        lines.append(f'<tr><th scope="row">{piece}</th>')
        for origin, weight in zip(source, row, strict=True):
            shade = ' class="dark"' if weight > 0.5 else ""
            title = f"{origin} → {piece}: {weight:.3f}"
            lines.append(f'<td{shade} style="--w:{weight:.3f}" title="{title}">{weight:.2f}</td>')
        lines.append("</tr>")
    return "\n".join([*lines, "</tbody>", "</table></figure>"])
