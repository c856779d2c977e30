"""Pieces of an HTML page that needs nothing but itself: escaped texts, tables, the frame."""

import html
import re
from collections.abc import Sequence

# Control characters have no place in HTML; of blanks only tab and newline stay.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")

_LARGE = 1e15  # from here on numbers are shown by their power of ten

_STYLE = """
:root { color-scheme: light dark; --paper: #ffffff; --ink: #1b1f24; --soft: #59636e;
  --line: #d5dae0; --panel: #f5f7f9; --bar: #2f6fb3; --error: #b3261e; --warning: #8a5a00; }
@media (prefers-color-scheme: dark) { :root { --paper: #14171b; --ink: #e7eaee; --soft: #a3adb8;
  --line: #363d46; --panel: #1e2329; --bar: #6aa9ea; --error: #ff8a80; --warning: #f2c14e; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 64rem; padding: 1.5rem 1rem 4rem; background: var(--paper);
  color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.7rem; margin: 0 0 .25rem; } h2 { font-size: 1.25rem; margin: 2.5rem 0 .5rem;
  border-bottom: 1px solid var(--line); padding-bottom: .25rem; } h3 { font-size: 1rem;
  margin: 1.5rem 0 .25rem; }
p { margin: .25rem 0 .75rem; max-width: 46rem; } .soft { color: var(--soft); }
nav ul { list-style: none; display: flex; flex-wrap: wrap; gap: .25rem 1rem; padding: 0; }
a { color: var(--bar); }
dl.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr));
  gap: .5rem; margin: 1rem 0; }
dl.tiles div { background: var(--panel); border-radius: .4rem; padding: .5rem .75rem; }
dl.tiles dt { color: var(--soft); font-size: .85rem; } dl.tiles dd { margin: 0;
  font-size: 1.2rem; font-variant-numeric: tabular-nums; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: .9rem; }
caption { text-align: left; color: var(--soft); padding: .25rem 0; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid var(--line);
  vertical-align: top; } thead th { background: var(--panel); }
tbody th { font-weight: 600; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.words { min-width: 11rem; overflow-wrap: anywhere; }
.error { color: var(--error); font-weight: 700; } .warning { color: var(--warning);
  font-weight: 700; }
figure { margin: .5rem 0 1rem; overflow-x: auto; } svg { display: block; width: 100%;
  min-width: 34rem; height: auto; }
svg text { fill: var(--ink); font: 12px system-ui, sans-serif; } svg .bar { fill: var(--bar); }
svg .grid { stroke: var(--line); stroke-width: 1; }
summary { cursor: pointer; color: var(--soft); font-size: .9rem; }
@media print { details { display: none; } }
"""


def escaped(text: object) -> str:
    """Text that means nothing to a browser but itself."""
    return html.escape(_CONTROLS.sub("\ufffd", str(text)), quote=True)


def number_of(value: float) -> str:
    """A number as people read it: no more digits than they can use, in threes where there are many.

    Four digits stay together, so that years look like years.
    """
    if abs(value) >= _LARGE or 0 < abs(value) < 1:
        return f"{value:.3g}"
    text = f"{value:,.2f}".rstrip("0").rstrip(".")
    return text if abs(value) >= 10_000 else text.replace(",", "")


def share_of(part: float, whole: float) -> str:
    """A share in per cent; what is there is never shown as nothing, nor a rest as all."""
    if not whole:
        return "–"
    share = part / whole
    if 0 < share < 0.001:
        return "< 0.1\u00a0%"
    if 0.999 < share < 1:
        return "> 99.9\u00a0%"
    return f"{share:.1%}".replace("%", "\u00a0%")


def table(
    caption: str,
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    kinds: Sequence[str] = (),
) -> str:
    """A table whose first column names its rows.

    Args:
        caption: what it is.
        header: of the columns.
        rows: cells, escaped already.
        kinds: of each column, a class of the page's style; empty for texts.
    """
    kinds = [*kinds, *[""] * (len(header) - len(kinds))]
    heads = "".join(
        f'<th scope="col"{_class(kind)}>{escaped(name)}</th>'
        for name, kind in zip(header, kinds, strict=True)
    )
    lines = []
    for first, *rest in rows:
        cells = "".join(
            f"<td{_class(kind)}>{cell}</td>" for cell, kind in zip(rest, kinds[1:], strict=True)
        )
        lines.append(f'<tr><th scope="row"{_class(kinds[0])}>{first}</th>{cells}</tr>')
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{escaped(caption)}"><table>'
        f"<caption>{escaped(caption)}</caption><thead><tr>{heads}</tr></thead>"
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def value_of(text: object) -> str:
    """A text from the data, whose direction of writing stays its own."""
    return f"<bdi>{escaped(text)}</bdi>"


def figure(chart: str, as_table: str) -> str:
    """A chart, and what it shows as a table that opens."""
    return f"<figure>{chart}<details><summary>As a table</summary>{as_table}</details></figure>"


def section(name: str, title: str, *parts: str) -> str:
    """A part of the page that can be linked to."""
    return (
        f'<section id="{name}" aria-labelledby="{name}-title">'
        f'<h2 id="{name}-title">{escaped(title)}</h2>{"".join(parts)}</section>'
    )


def page(title: str, *parts: str) -> str:
    """The whole page; a browser loads nothing besides, whatever it says."""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{escaped(title)}</title><style>{_STYLE}</style></head>"
        f"<body>{''.join(parts)}</body></html>\n"
    )


def _class(kind: str) -> str:
    return f' class="{kind}"' if kind else ""
