"""When which version was live, and what gates said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from markupsafe import Markup

from penstock.monitoring.report.drawn.svg import Scale, chart, element, mark, path
from penstock.monitoring.report.figures import moment
from penstock.registry.moves import Move

WIDTH, HEIGHT, SIDE, MIDDLE = 1160.0, 112.0, 40.0, 62.0
_NAMED = 74.0  # the width that a term needs for its name


def timeline(moves: Sequence[Move], decisions: Sequence[Mapping[str, Any]], now: datetime) -> Markup:
    """A line of time: each version while it was live, promotions and rollbacks above it, gates below.

    Args:
        moves: Of the alias of what is live, in order.
        decisions: Rows of `ml.gates`.
        now: When the line ends.
    """
    times = [each.at for each in moves] + [each["decided_at"] for each in decisions]
    first = min(times, default=now)
    x = Scale(first.timestamp(), max(now.timestamp(), first.timestamp() + 1), SIDE, WIDTH - SIDE)
    ends = [*(each.at for each in moves[1:]), now]
    parts = [_term(each, end, at, x, now) for at, (each, end) in enumerate(zip(moves, ends, strict=False))]
    parts += [_decision(each, x, now) for each in decisions]
    names = [
        element("text", f"{first:%Y-%m-%d}", x=SIDE, y=HEIGHT - 4, class_="tick"),
        element("text", "now", x=WIDTH - SIDE, y=HEIGHT - 4, class_="tick end"),
    ]
    return chart("versions over time", WIDTH, HEIGHT, *parts, *names, class_="chart wide")


def _term(move: Move, until: datetime, at: int, x: Scale, now: datetime) -> Markup:
    start, end = x(move.at.timestamp()), x(until.timestamp())
    version = f"version {move.version.version}"
    told = f"{version} live since {moment(move.at, now)}: {move.reason}"
    wide, colour = max(2.0, end - start), "odd" if at % 2 else "even"
    bar = element("rect", x=start, y=MIDDLE - 9, width=wide, height=18, class_=f"term {colour}")
    tip, base = (MIDDLE - 14, MIDDLE - 26) if move.is_back else (MIDDLE - 26, MIDDLE - 14)
    outline = path([(start, tip), (start + 7, base), (start - 7, base)], closed=True)
    sign = element("path", d=outline, class_="back" if move.is_back else "flag")
    name = element("text", version, x=start + 8, y=MIDDLE + 4.5, class_="inside") if wide > _NAMED else Markup("")
    return mark(told, bar, sign, name)


def _decision(row: Mapping[str, Any], x: Scale, now: datetime) -> Markup:
    passed = row["verdict"] == "passed"
    told = f"gate of version {row['challenger']}, {moment(row['decided_at'], now)}: {row['verdict']}"
    verdict = {
        "x": x(row["decided_at"].timestamp()),
        "y": MIDDLE + 30,
        "class_": f"verdict {'good' if passed else 'bad'}",
    }
    return mark(told, element("text", "✓" if passed else "✕", **verdict))
