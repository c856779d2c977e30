"""Charts as inline SVG: columns along an axis, and bars with a name each.

A chart is an image with a title and a description for those who do not see it; its colours come
from the page's style, so that it is read in light and dark. All text is escaped.
"""

from collections.abc import Sequence

from pipelines.page_html import escaped, number_of

WIDTH = 720  # units of the view box; the page scales it
_HEIGHT, _TOP, _BOTTOM, _LEFT, _RIGHT = 210, 14, 26, 64, 10
_BAR, _VALUE = 22, 140  # height of a bar's line, width of its figure
_WIDEST = 90.0  # a column, where there are few
_CHARACTERS = 44  # of a name; the rest is in its tooltip and in the table
_TICKS = 8  # most labels along an axis that has no room for all
_STEPS = (1, 2, 2.5, 5, 10)  # round parts of a power of ten
_WIDTH_OF_A_CHARACTER = 6.6


def column_chart(
    title: str, description: str, labels: Sequence[str], values: Sequence[float]
) -> str:
    """Columns from left to right; the axis names as many as there is room for.

    Args:
        title: short.
        description: what one would see.
        labels: of each column.
        values: of each column, 0 or more.
    """
    height, width = _HEIGHT - _TOP - _BOTTOM, WIDTH - _LEFT - _RIGHT
    ticks = _ticks(max(values, default=0))
    top = ticks[-1]
    lines = []
    for tick in ticks:
        y = _TOP + height * (1 - tick / top)
        lines.append(f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" '
                     f'y2="{y:.1f}"/>')  # fmt: skip
        lines.append(_text(_LEFT - 6, y + 4, number_of(tick), "end"))
    step = min(width / max(len(values), 1), _WIDEST)
    gap = min(step * 0.15, 4.0)
    for place, (label, value) in enumerate(zip(labels, values, strict=True)):
        high = height * value / top
        # What is there shows, however small it is.
        high = max(high, 1.0) if value else 0.0
        x = _LEFT + place * step + gap / 2
        lines.append(
            f'<rect class="bar" x="{x:.2f}" y="{_TOP + height - high:.2f}" '
            f'width="{step - gap:.2f}" height="{high:.2f}">'
            f"<title>{escaped(label)}: {number_of(value)}</title></rect>"
        )
    longest = max((len(label) for label in labels), default=1)
    room = max(1, int(step * len(labels) / ((longest + 2) * _WIDTH_OF_A_CHARACTER)))
    every = 1 if len(labels) <= room else -(-len(labels) // min(room, _TICKS))
    for place in range(0, len(labels), every):
        x = _LEFT + (place + 0.5) * step
        lines.append(_text(x, _HEIGHT - 8, labels[place], "middle" if place else _first(step)))
    return _chart(title, description, _HEIGHT, lines)


def bar_chart(
    title: str,
    description: str,
    labels: Sequence[str],
    values: Sequence[float],
    figures: Sequence[str],
) -> str:
    """Bars below each other, each with its name and its figure.

    Args:
        title: short.
        description: what one would see.
        labels: of each bar.
        values: of each bar, 0 or more.
        figures: what stands behind each.
    """
    longest = min(max((len(label) for label in labels), default=0), _CHARACTERS)
    left = longest * _WIDTH_OF_A_CHARACTER + 20
    width = WIDTH - left - _VALUE
    most = max(values, default=0) or 1
    lines = []
    for place, (label, value, figure) in enumerate(zip(labels, values, figures, strict=True)):
        y = place * _BAR + 3
        name = label if len(label) <= _CHARACTERS else label[: _CHARACTERS - 1] + "…"
        long = width * value / most
        lines.append(f"<g><title>{escaped(label)}: {escaped(figure)}</title>")
        lines.append(_text(left - 8, y + 13, name, "end"))
        lines.append(f'<rect class="bar" x="{left:.2f}" y="{y}" width="{long:.2f}" height="16"/>')
        lines.append(_text(left + long + 6, y + 13, figure, "start") + "</g>")
    return _chart(title, description, len(labels) * _BAR + 6, lines)


def _first(step: float) -> str:
    """How the first label stands to its column, so that it does not run into the axis."""
    return "start" if step < 30 else "middle"


def _ticks(most: float) -> list[float]:
    """Round numbers from 0 to at least `most`, about five of them."""
    if most <= 0:
        return [0.0, 1.0]
    power = 10.0 ** (len(str(int(most))) - 1)
    if most < 1:
        power = 10.0 ** -len(str(int(1 / most)))
    step = next(power * part for part in (0.1, 0.2, 0.25, 0.5, *_STEPS) if power * part * 5 >= most)
    if most >= 5:
        step = max(1.0, float(round(step)))
    count = int(-(-most // step))
    return [step * place for place in range(count + 1)]


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escaped(text)}</text>'


def _chart(title: str, description: str, height: int, lines: Sequence[str]) -> str:
    return (
        f'<svg role="img" aria-label="{escaped(f"{title}. {description}")}" '
        f'viewBox="0 0 {WIDTH} {height}"><title>{escaped(title)}</title>{"".join(lines)}</svg>'
    )
