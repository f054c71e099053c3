"""Drift of features by windows, as a map."""

from __future__ import annotations

from markupsafe import Markup

from penstock.monitoring.report.drawn.svg import chart, element, mark
from penstock.monitoring.report.drifted import Drift
from penstock.monitoring.report.figures import chance, clipped, count, number

LABELS, ROW, TOP = 226.0, 22.0, 8.0
LEVELS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
"""Where one shade ends and the next begins."""
_ROOM = 894.0
_LETTERS = 28


def shade(size: float) -> int:
    """Which of the shades a distance has: from 0 to the number of `LEVELS`.

    Example:
        >>> shade(0.01), shade(0.1), shade(0.9)
        (0, 3, 6)
    """
    return sum(size >= each for each in LEVELS)


def heat_map(drift: Drift) -> Markup:
    """A row a feature, a column a window: the darker, the farther from the reference; a dot where it is a drift."""
    wide = min(26.0, max(9.0, _ROOM / len(drift.windows)))
    width, bottom = LABELS + wide * len(drift.windows) + 8, TOP + ROW * len(drift.features)
    parts: list[Markup] = []
    for row, feature in enumerate(drift.features):
        y = TOP + ROW * row
        name = element("text", clipped(feature, _LETTERS), x=LABELS - 10, y=y + 15, class_="tick end")
        parts.append(mark(feature, name))
        for at, window in enumerate(drift.windows):
            cell = drift.cells.get((feature, window))
            if cell is None or cell.size is None:
                continue
            x, drifts = LABELS + wide * at, drift.is_drift(cell)
            told = (
                f"{feature}, window to {window:%Y-%m-%d %H:%M}: {drift.table.effect} {number(cell.size)}, "
                f"p {chance(cell.p)}, {count(cell.rows)} rows{', drifted' if drifts else ''}"
            )
            box = element("rect", x=x, y=y, width=wide - 1, height=ROW - 1, class_=f"h{shade(cell.size)}")
            dot = (
                (element("circle", cx=x + (wide - 1) / 2, cy=y + (ROW - 1) / 2, r=2.6, class_="drifts"),)
                if drifts
                else ()
            )
            parts.append(mark(told, box, *dot))
    step = max(1, -(-len(drift.windows) // 9))
    for at, window in list(enumerate(drift.windows))[::step]:
        x = LABELS + wide * (at + 0.5)
        parts.append(element("text", f"{window:%d %b}", x=x, y=bottom + 16, class_="tick middle"))
    title = f"{drift.table.effect} of {len(drift.features)} features by {len(drift.windows)} windows"
    return chart(title, width, bottom + 24, *parts, class_="chart wide")
