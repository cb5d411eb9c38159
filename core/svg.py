"""A small chart in SVG: two axes, series, a legend and lines of text.

No colours but the series' own: axes and words take the page's `currentColor`, the ground is transparent.
What is measured and why it is drawn is told where it is.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from math import ceil, floor, log10

WIDTH, HEIGHT = 640, 460
LEFT, RIGHT, BOTTOM = 76, 620, 396
_TITLE_Y, _LINE_PX, _LEGEND_PX = 28, 18, 26
_TITLE_LETTERS = 60
_LETTER_PX = 6.4  # of a 12 px letter, on the wide side

BLUE, ORANGE, GREEN, GREY = "#3b82c4", "#d1701f", "#3a9a68", "#8a8f98"
"""Over 3:1 against both white and near-black."""

_STYLE = (
    "svg:root{color:#333}"  # only where the picture is a document of its own: in a page, the page decides
    "@media (prefers-color-scheme:dark){svg:root{color:#ddd}}"
)


@dataclass(frozen=True, slots=True)
class Axis:
    """A named range with its ticks; `log` axes are in decades and start above 0."""

    label: str
    low: float
    high: float
    log: bool = False

    def at(self, value: float) -> float:
        """Where a value is, 0 at the low end and 1 at the high end; values beyond are at the end."""
        if self.log:
            value = max(value, self.low)
            share = (log10(value) - log10(self.low)) / (log10(self.high) - log10(self.low))
        else:
            share = (value - self.low) / (self.high - self.low)
        return min(1.0, max(0.0, share))

    def ticks(self) -> list[float]:
        """Round numbers: decades (with 2 and 5 where they are few), or about five even steps."""
        if self.log:
            decades = range(floor(log10(self.low)), ceil(log10(self.high)) + 1)
            digits = (1, 2, 5) if log10(self.high / self.low) < 2.5 else (1,)
            return self._inside(digit * 10.0**decade for decade in decades for digit in digits)
        rough = (self.high - self.low) / 5
        unit = 10.0 ** floor(log10(rough))
        step = next(unit * digit for digit in (1, 2, 5, 10) if unit * digit >= rough * 0.999)
        return self._inside(
            step * n for n in range(ceil(self.low / step), floor(self.high / step + 1e-9) + 1)
        )

    def _inside(self, values: Iterable[float]) -> list[float]:
        slack = 1e-9 * abs(self.high)
        return [value for value in values if self.low - slack <= value <= self.high + slack]


@dataclass(frozen=True, slots=True)
class Line:
    """A line through points; a `faint` one guides the eye and is dashed."""

    name: str
    points: Sequence[tuple[float, float]]
    colour: str
    faint: bool = False


@dataclass(frozen=True, slots=True)
class Area:
    """A line filled down to the x axis."""

    name: str
    points: Sequence[tuple[float, float]]
    colour: str


@dataclass(frozen=True, slots=True)
class Band:
    """What lies between two lines, as an interval does along a curve: points of the lower and the upper."""

    name: str
    low: Sequence[tuple[float, float]]
    high: Sequence[tuple[float, float]]
    colour: str


@dataclass(frozen=True, slots=True)
class Dots:
    """Points, each with the ends of its interval and a word that a pointer shows."""

    name: str
    points: Sequence[tuple[float, float]]
    colour: str
    intervals: Sequence[tuple[float, float]] = ()
    words: Sequence[str] = ()
    radius: float = 4


@dataclass(frozen=True, slots=True)
class Cells:
    """A grid over both axes, a row for each step of y; a cell is as dense as the logarithm of its count."""

    name: str
    rows: Sequence[Sequence[int]]
    colour: str


Mark = Line | Area | Band | Dots | Cells


@dataclass(frozen=True, slots=True)
class Chart:
    """A title, lines of text below it, two axes and what is drawn between them; `chart` renders it."""

    title: str
    x: Axis
    y: Axis
    series: Sequence[Mark]
    lines: Sequence[str] = field(default=())


def render(chart: Chart, *, alone: bool = True) -> str:
    """The chart as a whole SVG document, 640 by 460 px; unless `alone` a part of a page, without style."""
    top = _TITLE_Y + _LINE_PX * len(chart.lines) + _LEGEND_PX + 14
    body = [
        f"<title>{_escaped(chart.title)}</title>",
        f"<desc>{_escaped('; '.join(chart.lines))}</desc>",
        *([f"<style>{_STYLE}</style>"] if alone else []),
        _text(LEFT, _TITLE_Y, _shortened(chart.title), size=16, weight=600),
        *(_text(LEFT, _TITLE_Y + _LINE_PX * (n + 1), line) for n, line in enumerate(chart.lines)),
        *_legend(chart.series, top - 14),
        *_x_axis(chart.x, top),
        *_y_axis(chart.y, top),
        *(part for one in chart.series for part in _drawn(one, chart, top)),
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
        f'height="{HEIGHT}" role="img" font-family="system-ui, sans-serif" font-size="12" '
        f'fill="currentColor">\n' + "\n".join(body) + "\n</svg>\n"
    )


def _text(
    x: float, y: float, words: str, *, anchor: str = "start", size: int = 12, weight: int = 400, turn: int = 0
) -> str:
    turned = f' transform="rotate({turn} {x:.1f} {y:.1f})"' if turn else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" '
        f'font-weight="{weight}"{turned}>{_escaped(words)}</text>'
    )


def _legend(series: Sequence[Mark], y: float) -> list[str]:
    parts, x = [], float(LEFT)
    for one in series:
        if not one.name:
            continue
        if isinstance(one, Line):
            dash = ' stroke-dasharray="4 4"' if one.faint else ""
            parts.append(f'<path d="M{x:.1f} {y - 4:.1f}h22" stroke="{one.colour}" stroke-width="2"{dash}/>')
        elif isinstance(one, Area | Band | Cells):
            edge = f' stroke="{one.colour}"' if isinstance(one, Area) else ""
            parts.append(
                f'<rect x="{x:.1f}" y="{y - 10:.1f}" width="22" height="11" fill="{one.colour}" '
                f'fill-opacity="0.25"{edge}/>'
            )
        else:
            parts.append(f'<circle cx="{x + 11:.1f}" cy="{y - 4:.1f}" r="4" fill="{one.colour}"/>')
        parts.append(_text(x + 28, y, one.name))
        x += 28 + _LETTER_PX * len(one.name) + 18
    return parts


def _x_axis(axis: Axis, top: float) -> list[str]:
    parts = [f'<path d="M{LEFT} {BOTTOM}H{RIGHT}" stroke="currentColor" fill="none"/>']
    for tick in axis.ticks():
        x = _x(axis, tick)
        parts.append(_grid(f"M{x:.1f} {BOTTOM}V{top}"))
        parts.append(f'<path d="M{x:.1f} {BOTTOM}v5" stroke="currentColor"/>')
        parts.append(_text(x, BOTTOM + 20, _number(tick), anchor="middle"))
    return [*parts, _text((LEFT + RIGHT) / 2, BOTTOM + 44, axis.label, anchor="middle")]


def _y_axis(axis: Axis, top: float) -> list[str]:
    parts = [f'<path d="M{LEFT} {BOTTOM}V{top}" stroke="currentColor" fill="none"/>']
    for tick in axis.ticks():
        y = _y(axis, tick, top)
        parts.append(_grid(f"M{LEFT} {y:.1f}H{RIGHT}"))
        parts.append(f'<path d="M{LEFT} {y:.1f}h-5" stroke="currentColor"/>')
        parts.append(_text(LEFT - 9, y + 4, _number(tick), anchor="end"))
    return [*parts, _text(22, (top + BOTTOM) / 2, axis.label, anchor="middle", turn=-90)]


def _grid(path: str) -> str:
    return f'<path d="{path}" stroke="currentColor" stroke-opacity="0.13" fill="none"/>'


def _cells(cells: Cells, top: float) -> list[str]:
    most = max((n for row in cells.rows for n in row), default=0)
    height = (BOTTOM - top) / len(cells.rows)
    parts = []
    for y, row in enumerate(cells.rows):
        width = (RIGHT - LEFT) / len(row)
        for x, n in enumerate(row):
            if n:
                density = 0.25 + 0.75 * log10(n) / log10(most) if most > 1 else 1
                left, upper = LEFT + x * width, BOTTOM - (y + 1) * height
                parts.append(
                    f'<rect x="{left:.2f}" y="{upper:.2f}" width="{width:.2f}" height="{height:.2f}" '
                    f'fill="{cells.colour}" fill-opacity="{density:.2f}">'
                    f"<title>{n:,}</title></rect>"
                )
    return parts


def _drawn(one: Mark, chart: Chart, top: float) -> list[str]:
    if isinstance(one, Cells):
        return _cells(one, top)
    points = [*one.low, *reversed(one.high)] if isinstance(one, Band) else one.points
    places = [(_x(chart.x, x), _y(chart.y, y, top)) for x, y in points]
    path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
    if not places:
        return []
    if isinstance(one, Line):
        dash = ' stroke-dasharray="4 4" stroke-opacity="0.8"' if one.faint else ""
        width = 1.2 if one.faint else 2
        return [
            f'<path d="{path}" stroke="{one.colour}" stroke-width="{width}" fill="none" '
            f'stroke-linejoin="round"{dash}/>'
        ]
    if isinstance(one, Band):
        return [f'<path d="{path}Z" fill="{one.colour}" fill-opacity="0.25"/>']
    if isinstance(one, Area):
        closed = f"{path}V{BOTTOM}H{places[0][0]:.1f}Z"
        return [
            f'<path d="{closed}" fill="{one.colour}" fill-opacity="0.25"/>',
            f'<path d="{path}" stroke="{one.colour}" stroke-width="1.6" fill="none"/>',
        ]
    parts = []
    for n, (x, y) in enumerate(places):
        if one.intervals:
            low, high = (_y(chart.y, end, top) for end in one.intervals[n])
            parts.append(
                f'<path d="M{x:.1f} {low:.1f}V{high:.1f}M{x - 4:.1f} {low:.1f}h8M{x - 4:.1f} {high:.1f}h8" '
                f'stroke="{one.colour}" stroke-width="1.5" fill="none"/>'
            )
        word = f"<title>{_escaped(one.words[n])}</title>" if one.words else ""
        parts.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{one.radius:g}" fill="{one.colour}">{word}</circle>'
        )
    return parts


def _x(axis: Axis, value: float) -> float:
    return LEFT + (RIGHT - LEFT) * axis.at(value)


def _y(axis: Axis, value: float, top: float) -> float:
    return BOTTOM - (BOTTOM - top) * axis.at(value)


def _shortened(title: str) -> str:
    return title if len(title) <= _TITLE_LETTERS else f"{title[: _TITLE_LETTERS - 1]}…"


def _escaped(words: str) -> str:
    """Text for XML, which has no control characters, escaped or not."""
    return escape("".join(c for c in words if c.isprintable()))


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.10g}" if abs(value) >= 1e-4 else f"{value:g}"
