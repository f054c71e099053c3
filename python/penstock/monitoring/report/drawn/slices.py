"""The interval of a slice beside all rows, small enough for a cell of a table."""

from __future__ import annotations

from markupsafe import Markup

from penstock.monitoring.report.drawn.svg import Scale, chart, element, padded
from penstock.monitoring.report.figures import between, number
from penstock.monitoring.report.sliced import Slice, Slices

WIDTH, HEIGHT = 220.0, 22.0


def scale_of(slices: Slices) -> Scale:
    """One scale for all slices that are shown: those of few rows may reach beyond it."""
    own = [each for each in slices.worst if each.judged] or slices.worst
    ends = [end for each in (slices.overall, *own) for end in (each.low, each.value, each.high)]
    known = [end for end in ends if end is not None]
    return Scale(*padded(known or [0.0]), 4.0, WIDTH - 4.0)


def slice_chart(slices: Slices, one: Slice) -> Markup:
    """The value of a slice with its bounds, over a line where all rows are."""
    x, middle = scale_of(slices), HEIGHT / 2
    parts = []
    if slices.overall.value is not None:
        at = x(slices.overall.value)
        parts.append(element("line", x1=at, x2=at, y1=0, y2=HEIGHT, class_="level overall"))
    if one.low is not None and one.high is not None:
        parts.append(element("line", x1=x(one.low), x2=x(one.high), y1=middle, y2=middle, class_="whisker thick"))
    if one.value is not None:
        parts.append(element("circle", cx=x(one.value), cy=middle, r=4, class_="dot realised"))
    told = f"{number(one.value)} {f'({between(one.low, one.high)})' if one.low is not None else ''}".strip()
    return chart(told, WIDTH, HEIGHT, *parts, class_="cell")
