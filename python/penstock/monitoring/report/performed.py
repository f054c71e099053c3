"""Performance by time: realised where labels are final, what a calibration expects, and how many labels came."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlglot import exp, parse_one

from penstock.dialects import call
from penstock.monitoring.performance.calibration import calibration_points, isotonic_knots, knots_sql
from penstock.monitoring.performance.curves import Curve
from penstock.monitoring.performance.estimates import realised_and_estimated
from penstock.monitoring.performance.metrics import performance
from penstock.monitoring.performance.regression import number_performance
from penstock.monitoring.performance.scores import Scores
from penstock.monitoring.record.tables import SHADOW
from penstock.monitoring.report.belongs import Scored
from penstock.monitoring.report.engine import Engine, Missing, at_or, moved
from penstock.monitoring.words import column, extended, formula, inside, named, totals

MOST = 60
"""Periods that are shown: the newest."""
_ENOUGH = 100  # rows, as of a slice that is judged
_SECONDS = {"hour": 3_600, "day": 86_400, "week": 604_800}  # else a month
PERIOD, FINAL = "__period", "__final"
LABEL, TIME = "__final_label", "__time"


@dataclass(frozen=True)
class Interval:
    """A metric: its value, the bounds of 95 %, and of how many rows; None where there is none."""

    value: float | None
    low: float | None
    high: float | None
    rows: int


@dataclass(frozen=True)
class Period:
    """A period of time.

    Attributes:
        start: Its beginning.
        rows, labelled, final: How many rows have a time in it; of these, a label; and a final one.
        realised: Each metric of the rows with final labels.
        estimated: What the calibration expects of all rows; nothing in the periods that it was fitted to.
    """

    start: datetime
    rows: int
    labelled: int
    final: int
    realised: Mapping[str, Interval] = field(default_factory=dict)
    estimated: Mapping[str, Interval] = field(default_factory=dict)


@dataclass(frozen=True)
class Performance:
    """Performance by period.

    Attributes:
        bucket: hour, day, week or month.
        periods: In order; those without rows are not there.
        metrics: The metrics that are asked for.
        since: Rows before it are left out: the live version was trained on some; None where none are.
        fitted_until: The end of the periods that the calibration was fitted to; None where there is none.
        knots: The calibration.
        is_cut: Whether there are earlier periods that are not shown.
    """

    bucket: str
    periods: tuple[Period, ...]
    metrics: tuple[str, ...]
    since: datetime | None = None
    fitted_until: datetime | None = None
    knots: tuple[tuple[float, float], ...] = ()
    is_cut: bool = False

    @property
    def newest(self) -> Period | None:
        """The newest period with enough final labels to say something, or else with any."""
        newest_first = [each for each in reversed(self.periods) if each.final]
        return next((each for each in newest_first if each.final >= _ENOUGH), newest_first[0] if newest_first else None)


@dataclass(frozen=True)
class Reading:
    """How a report reads scored rows.

    Attributes:
        scored: Which.
        model: The registered model.
        metrics: The metrics.
        numbers: Whether scores are predicted numbers.
        threshold: From which score on a row is predicted to be positive.
        at: When the report is made, by which a label is final or not.
        since: Rows before it are left out.
    """

    scored: Scored
    model: str
    metrics: tuple[str, ...]
    numbers: bool
    threshold: float
    at: datetime
    since: datetime | None = None

    def prepared(self, engine: Engine, bucket: str = "day") -> exp.Select:
        """The rows with their period, and their label where it is final."""
        rows = engine.all_of(self.scored.relation)
        if self.scored.is_record:
            rows = rows.where(exp.column("model").eq(self.model), exp.column("role").neq(SHADOW))
        time = exp.cast(column(self.scored.time), "timestamp")
        rows = rows.where(exp.not_(exp.Is(this=column(self.scored.time), expression=exp.null())))
        if self.since is not None:
            rows = rows.where(at_or(time, self.since, after=True))
        label = column(self.scored.label)
        final = formula("NOT :label IS NULL", label=label)
        if self.scored.final:
            ripe = exp.not_(at_or(self.scored.final, self.at, after=True))
            final = formula("COALESCE(NOT :label IS NULL AND :ripe, FALSE)", label=label, ripe=exp.paren(ripe))
        period = call("DATE_TRUNC", exp.Literal.string(bucket.upper()), time)
        answer = extended(rows, {TIME: time, PERIOD: period, FINAL: final})
        return extended(answer, {LABEL: formula(f"CASE WHEN {FINAL} THEN :label END", label=label)})

    def scores(self, relation: exp.Query, *keys: str) -> Scores:
        """Those rows as performance takes them."""
        return Scores(relation, self.scored.score, LABEL, keys=keys, threshold=self.threshold)


def performance_of(reading: Reading, engine: Engine) -> Performance | Missing:
    """Performance by hours, days, weeks or months, whichever makes at most 60 periods.

    The calibration behind estimates is fitted to the older half of the periods with final labels, and estimates are
    shown for what came after.

    Args:
        reading: The rows.
        engine: Where they are.
    """
    ends = totals(reading.prepared(engine), [], {"first": f"MIN({TIME})", "last": f"MAX({TIME})"})
    [span] = engine.rows(ends)
    if span["first"] is None:
        when = (
            f" from {reading.since:%Y-%m-%d %H:%M} on, when the live version had not seen them" if reading.since else ""
        )
        return Missing(f"{reading.scored.name} has no rows{when}", f"dbt build --select +{reading.scored.name}")
    bucket = bucket_of(span["first"], span["last"])
    prepared = reading.prepared(engine, bucket)
    counts = {
        "rows": "COUNT(*)",
        "labelled": "COUNT(:label)",
        "final": f"COUNT(CASE WHEN {FINAL} THEN 1 END)",
    }
    counted = {
        name: formula(f"CAST({text} AS BIGINT)", **({"label": column(reading.scored.label)} if ":" in text else {}))
        for name, text in counts.items()
    }
    by_period = totals(prepared, [PERIOD], counted).order_by(f"{PERIOD} DESC").limit(MOST + 1)
    periods = [Period(each[PERIOD], each["rows"], each["labelled"], each["final"]) for each in engine.rows(by_period)]
    shown = sorted(periods[:MOST], key=lambda each: each.start)
    drawn = exp.select("*").from_(inside(prepared)).where(at_or(PERIOD, shown[0].start, after=True))
    until, knots = (None, ()) if reading.numbers else _calibration(reading, drawn, shown, bucket, engine)
    found = engine.rows(_asked(reading, drawn, knots, engine))
    return Performance(
        bucket,
        tuple(_with_metrics(each, found, until) for each in shown),
        reading.metrics,
        reading.since,
        until,
        knots,
        len(periods) > MOST,
    )


def bucket_of(first: datetime, last: datetime) -> str:
    """The shortest bucket of which there are at most 60 between two times.

    Example:
        >>> bucket_of(datetime(2026, 1, 1), datetime(2026, 1, 31))
        'day'
    """
    span = (last - first).total_seconds()
    return next((name for name, seconds in _SECONDS.items() if span < (MOST - 1) * seconds), "month")


def _calibration(
    reading: Reading, drawn: exp.Select, periods: Sequence[Period], bucket: str, engine: Engine
) -> tuple[datetime | None, tuple[tuple[float, float], ...]]:
    """Until when rows are taken to calibrate by, and the knots; nothing where there are not two periods."""
    labelled = [each.start for each in periods if each.final]
    if len(labelled) < 2:
        return None, ()
    until = moved(labelled[(len(labelled) - 1) // 2], bucket, 1)
    older = exp.select("*").from_(inside(drawn.copy())).where(at_or(PERIOD, until, after=False))
    points = engine.rows(calibration_points(reading.scores(older), engine.dialect))
    if not points:
        return None, ()
    knots = isotonic_knots(*([each[name] for each in points] for name in ("score", "label", "weight")))
    return until, tuple(knots)


def curve_of(knots: Sequence[tuple[float, float]], engine: Engine) -> Curve:
    """Knots as a relation."""
    query = parse_one(knots_sql(knots, engine.dialect), dialect=engine.dialect)
    assert isinstance(query, exp.Query)
    return Curve(query)


def _asked(reading: Reading, drawn: exp.Select, knots: Sequence[tuple[float, float]], engine: Engine) -> exp.Select:
    """The query of the metrics of each period, with or without estimates."""
    scores = reading.scores(drawn, PERIOD)
    if knots:
        answer = realised_and_estimated(scores, curve_of(knots, engine), engine.dialect)
    else:
        values = (number_performance if reading.numbers else performance)(scores, engine.dialect)
        same = {"realised": "value", "realised_low": "low", "realised_high": "high", "realised_rows": "rows"}
        answer = exp.select(PERIOD, "metric", *named(same)).from_(inside(values))
    wanted = [exp.Literal.string(name) for name in reading.metrics]
    return exp.select("*").from_(inside(answer)).where(exp.column("metric").isin(*wanted))


def _with_metrics(period: Period, found: Iterable[Mapping[str, Any]], until: datetime | None) -> Period:
    own = [each for each in found if each[PERIOD] == period.start]
    sides = {
        side: {each["metric"]: _interval(each, side) for each in own if each.get(f"{side}_rows")}
        for side in ("realised", "estimated")
    }
    if until is not None and period.start < until:
        sides["estimated"] = {}
    return Period(period.start, period.rows, period.labelled, period.final, **sides)


def _interval(row: Mapping[str, Any], side: str) -> Interval:
    return Interval(row[side], row[f"{side}_low"], row[f"{side}_high"], int(row[f"{side}_rows"]))
