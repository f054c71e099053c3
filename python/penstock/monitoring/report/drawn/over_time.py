"""A metric by period with its band, the estimate beside it, and how many labels have come."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup

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
    padded,
    path,
)
from penstock.monitoring.report.engine import moved
from penstock.monitoring.report.figures import between, count, number, period, share
from penstock.monitoring.report.performed import Interval, Performance, Period

HEIGHT, TOP, BOTTOM = 236.0, 14.0, 30.0
_BARS = 96.0
_SHARES = frozenset({"positives", "mean_score", "accuracy", "precision", "recall", "f1", "auc", "ece", "zero_one"})


@dataclass(frozen=True)
class Level:
    """A level that a metric is compared with: its value, and what it is."""

    value: float
    name: str
    class_: str


def time_scale(performance: Performance) -> Scale:
    """From times, in seconds, to places: the middle of each period is inside."""
    first, last = performance.periods[0].start, performance.periods[-1].start
    return Scale(first.timestamp(), moved(last, performance.bucket, 1).timestamp(), LEFT, WIDTH - RIGHT)


def middle(at: datetime, bucket: str, scale: Scale) -> float:
    """The place of the middle of a period."""
    return (scale(at.timestamp()) + scale(moved(at, bucket, 1).timestamp())) / 2


def metric_chart(
    performance: Performance, metric: str, levels: Sequence[Level] = (), moves: Iterable[tuple[datetime, str]] = ()
) -> Markup:
    """A metric by period: realised with the band of 95 %, the estimate dashed, levels and promotions.

    Args:
        performance: What is drawn.
        metric: Of which metric.
        levels: What it is compared with.
        moves: When versions went live, and what is told of that.
    """
    x, bucket = time_scale(performance), performance.bucket
    sides = {
        side: [(each, getattr(each, side).get(metric)) for each in performance.periods]
        for side in ("realised", "estimated")
    }
    known = [value for points in sides.values() for _, value in points if value is not None and value.value is not None]
    ends = [end for each in known for end in (each.low, each.value, each.high) if end is not None]
    if not ends:
        return Markup("")
    ends += [each.value for each in levels]
    least, most = (0.0, 1.0) if metric in _SHARES else (None, None)
    y = Scale(*padded(ends, least=least, most=most), HEIGHT - BOTTOM, TOP)
    parts = [*level_lines(y, LEFT, WIDTH - RIGHT), *_fitted(performance, x), *_moves(moves, x)]
    for level in levels:
        at = y(level.value)
        line = element("line", x1=LEFT, x2=WIDTH - RIGHT, y1=at, y2=at, class_=f"level {level.class_}")
        parts.append(mark(f"{level.name}: {number(level.value)}", line))
    for side in ("estimated", "realised"):
        for run in _runs(sides[side]):
            parts += _line(run, side, bucket, x, y)
    parts += [_point(each, value, metric, side, bucket, x, y) for side in sides for each, value in sides[side] if value]
    return chart(f"{metric} by {bucket}", WIDTH, HEIGHT, *parts, *time_axis(performance, x, HEIGHT - BOTTOM))


Point = tuple[Period, Interval | None]


def _runs(points: Sequence[Point]) -> list[list[tuple[Period, Interval]]]:
    """Stretches without a gap."""
    runs: list[list[tuple[Period, Interval]]] = [[]]
    for each, value in points:
        if value is not None and value.value is not None:
            runs[-1].append((each, value))
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def _line(run: list[tuple[Period, Interval]], side: str, bucket: str, x: Scale, y: Scale) -> list[Markup]:
    at = [middle(each.start, bucket, x) for each, _ in run]
    bounded = [(place, value) for place, (_, value) in zip(at, run, strict=True) if value.low is not None]
    parts = []
    if len(bounded) > 1:
        over = [(place, y(value.high or 0.0)) for place, value in bounded]
        under = [(place, y(value.low or 0.0)) for place, value in reversed(bounded)]
        parts.append(element("path", d=path([*over, *under], closed=True), class_=f"band {side}"))
    for place, value in bounded if len(bounded) == 1 else ():  # a band has two ends
        ends = {"y1": y(value.low or 0.0), "y2": y(value.high or 0.0)}
        parts.append(element("line", x1=place, x2=place, **ends, class_=f"whisker {side}"))
    line = [(place, y(value.value or 0.0)) for place, (_, value) in zip(at, run, strict=True)]
    return [*parts, element("path", d=path(line), class_=f"line {side}")] if len(run) > 1 else parts


def _point(each: Period, value: Interval, metric: str, side: str, bucket: str, x: Scale, y: Scale) -> Markup:
    if value.value is None:
        return Markup("")
    place, at = middle(each.start, bucket, x), y(value.value)
    bounds = between(value.low, value.high)
    told = f"{period(each.start, bucket)}: {metric} {side} {number(value.value)}"
    told += f" ({bounds})" if bounds else ""
    told += f", {count(value.rows)} rows"
    return mark(told, diamond(place, at, 4, side) if side == "estimated" else disc(place, at, 3.2, side))


def _fitted(performance: Performance, x: Scale) -> list[Markup]:
    """The periods that the calibration was fitted to, in which there is no estimate."""
    if performance.fitted_until is None:
        return []
    until = x(performance.fitted_until.timestamp())
    box = element("rect", x=LEFT, y=TOP, width=until - LEFT, height=HEIGHT - BOTTOM - TOP, class_="fitted")
    return [mark("the calibration of the estimate was fitted to these periods", box)]


def _moves(moves: Iterable[tuple[datetime, str]], x: Scale) -> list[Markup]:
    drawn = []
    for at, told in moves:
        if x.low <= at.timestamp() <= x.high:
            place = x(at.timestamp())
            line = element("line", x1=place, x2=place, y1=TOP, y2=HEIGHT - BOTTOM, class_="move")
            flag = element(
                "path", d=path([(place, TOP - 2), (place + 9, TOP + 3), (place, TOP + 8)], closed=True), class_="flag"
            )
            drawn.append(mark(told, line, flag))
    return drawn


def time_axis(performance: Performance, x: Scale, y: float) -> list[Markup]:
    """The names of some periods."""
    periods, bucket = performance.periods, performance.bucket
    step = max(1, -(-len(periods) // 6))
    drawn = [element("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y, class_="axis")]
    for each in periods[::step]:
        place = middle(each.start, bucket, x)
        drawn.append(element("line", x1=place, x2=place, y1=y, y2=y + 4, class_="axis"))
        drawn.append(element("text", period(each.start, bucket, short=True), x=place, y=y + 19, class_="tick middle"))
    return drawn


def maturity_chart(performance: Performance) -> Markup:
    """How many rows each period has: with a final label, with one that may change, without one."""
    x, bucket = time_scale(performance), performance.bucket
    y = Scale(0, max(each.rows for each in performance.periods), _BARS - BOTTOM, 8.0)
    parts = level_lines(y, LEFT, WIDTH - RIGHT, most=2)
    for each in performance.periods:
        left, right = x(each.start.timestamp()), x(moved(each.start, bucket, 1).timestamp())
        wide = max(1.0, (right - left) * 0.8)
        start = (left + right - wide) / 2
        told = (
            f"{period(each.start, bucket)}: {count(each.rows)} rows, {share(each.final, each.rows)} with a final label,"
            f" {share(each.labelled - each.final, each.rows)} with one that may change"
        )
        bars = []
        done = 0
        for rows, class_ in (
            (each.final, "final"),
            (each.labelled - each.final, "early"),
            (each.rows - each.labelled, "waiting"),
        ):
            if rows > 0:
                low, high = y(done), y(done + rows)
                bars.append(element("rect", x=start, y=high, width=wide, height=low - high, class_=class_))
                done += rows
        parts.append(mark(told, *bars))
    return chart(f"labels by {bucket}", WIDTH, _BARS, *parts, *time_axis(performance, x, _BARS - BOTTOM))
