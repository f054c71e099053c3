"""Two histograms of a feature side by side: what the model was trained on, and the newest window."""

from __future__ import annotations

from markupsafe import Markup

from penstock.monitoring.report.drawn.svg import Scale, chart, element, level_lines, mark
from penstock.monitoring.report.figures import clipped
from penstock.monitoring.report.looked import Looked

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 560.0, 236.0, 52.0, 10.0, 12.0, 66.0


def histogram_chart(looked: Looked) -> Markup:
    """The shares of the bins, reference and newest window beside each other."""
    bins = looked.bins
    x = Scale(0, max(1, len(bins)), LEFT, WIDTH - RIGHT)
    y = Scale(
        0,
        max((side for each in bins for side in (each.reference, each.current)), default=1.0) or 1.0,
        HEIGHT - BOTTOM,
        TOP,
    )
    parts = level_lines(y, LEFT, WIDTH - RIGHT, most=4)
    wide = x(1) - x(0)
    for at, each in enumerate(bins):
        told = f"{each.label}: {_percent(each.reference)} when trained, {_percent(each.current)} in the newest window"
        bars = [
            element(
                "rect", x=x(at) + wide * start, y=y(value), width=wide * 0.4, height=y(0) - y(value), class_=class_,
            )
            for value, start, class_ in ((each.reference, 0.08, "reference"), (each.current, 0.5, "current"))
        ]  # fmt: skip
        parts.append(mark(told, *bars))
    step = max(1, -(-len(bins) // 12))
    for at, each in list(enumerate(bins))[::step]:
        place, under = x(at) + wide / 2, HEIGHT - BOTTOM + 12
        name = clipped(each.label, 14)
        parts.append(
            element("text", name, x=place, y=under, class_="tick end", transform=f"rotate(-32 {place:.1f} {under:.1f})")
        )
    parts.append(element("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y(0), y2=y(0), class_="axis"))
    return chart(f"{looked.feature}: reference and newest window", WIDTH, HEIGHT, *parts)


def _percent(value: float) -> str:
    return f"{100 * value:.3g} %"
