"""Reliability of probabilities, and how scores are distributed."""

from __future__ import annotations

from markupsafe import Markup

from penstock.monitoring.report.calibrated import CALIBRATED, SCORE_BINS, Calibration
from penstock.monitoring.report.drawn.svg import (
    LEFT,
    RIGHT,
    WIDTH,
    Scale,
    chart,
    diamond,
    disc,
    element,
    level_lines,
    mark,
    path,
    ticks,
)
from penstock.monitoring.report.figures import between, count, number

SIZE, TOP, BOTTOM = 360.0, 12.0, 44.0
HEIGHT = 236.0


def reliability_chart(calibration: Calibration) -> Markup:
    """The share of positives by mean score, with its bounds; on the diagonal a score is what it says."""
    x = Scale(0, 1, LEFT, WIDTH - RIGHT)
    y = Scale(0, 1, SIZE - BOTTOM, TOP)
    parts = [*level_lines(y, LEFT, WIDTH - RIGHT), *_below("mean score of the bin", x, SIZE - BOTTOM)]
    parts.append(element("path", d=path([(x(0), y(0)), (x(1), y(1))]), class_="diagonal"))
    for name, side in calibration.sides.items():
        if len(side.bins) > 1:
            line = [(x(each.mean_score), y(each.positives)) for each in side.bins]
            parts.append(element("path", d=path(line), class_=f"line {name}"))
        for each in side.bins:
            at, up = x(each.mean_score), y(each.positives)
            told = (
                f"{'calibrated scores' if name == CALIBRATED else 'scores'} of {number(each.mean_score)} on average: "
                f"{number(each.positives)} positive ({between(each.low, each.high)}), {count(each.rows)} rows"
            )
            whisker = element("line", x1=at, x2=at, y1=y(each.low), y2=y(each.high), class_=f"whisker {name}")
            dot = diamond(at, up, 5, name) if name == CALIBRATED else disc(at, up, 4, name)
            parts.append(mark(told, whisker, dot))
    return chart("share of positives by mean score", WIDTH, SIZE, *parts)


def scores_chart(calibration: Calibration) -> Markup:
    """How many rows have which score, positives apart from others."""
    bins = calibration.scores
    x = Scale(0, SCORE_BINS, LEFT, WIDTH - RIGHT)
    y = Scale(0, max(each.rows for each in bins), HEIGHT - BOTTOM, TOP)
    parts = [
        *level_lines(y, LEFT, WIDTH - RIGHT, most=4),
        *_below("score", Scale(0, 1, LEFT, WIDTH - RIGHT), HEIGHT - BOTTOM),
    ]
    for each in bins:
        left, wide = x(each.bin) + 0.8, x(1) - x(0) - 1.6
        positives = each.rows * each.positives
        told = (
            f"scores from {each.bin / SCORE_BINS:.2f} to {(each.bin + 1) / SCORE_BINS:.2f}: {count(each.rows)} rows, "
            f"{count(round(positives))} of them positive"
        )
        whole = element("rect", x=left, y=y(each.rows), width=wide, height=y(0) - y(each.rows), class_="others")
        part = element("rect", x=left, y=y(positives), width=wide, height=y(0) - y(positives), class_="positives")
        parts.append(mark(told, whole, part))
    return chart("rows by score", WIDTH, HEIGHT, *parts)


def _below(name: str, x: Scale, y: float) -> list[Markup]:
    drawn = [element("line", x1=x.start, x2=x.end, y1=y, y2=y, class_="axis")]
    drawn += [element("text", f"{each:g}", x=x(each), y=y + 18, class_="tick middle") for each in ticks(0, 1)]
    return [*drawn, element("text", name, x=(x.start + x.end) / 2, y=y + 36, class_="tick middle")]
