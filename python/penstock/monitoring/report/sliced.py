"""Performance by slices, worst first."""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from penstock.monitoring.performance.slices import ALL, slices
from penstock.monitoring.report.engine import Engine, Missing, at_or
from penstock.monitoring.report.performed import PERIOD, Performance, Reading
from penstock.monitoring.words import extended, inside

MOST = 30
"""Slices that are shown: the worst that are judged, then those of too few rows."""


@dataclass(frozen=True)
class Slice:
    """A slice: the metric with its bounds of 95 %, the rest's, and how sure it is that the two differ."""

    slice: str
    slice_value: str | None
    value: float | None
    low: float | None
    high: float | None
    rows: int
    rest: float | None
    gap: float | None
    judged: bool
    p_adjusted: float | None


@dataclass(frozen=True)
class Slices:
    """The slices of a model by one metric.

    Attributes:
        metric: Which.
        overall: All rows.
        worst: The slices that are shown, worst first.
        left_out: How many are not.
    """

    metric: str
    overall: Slice
    worst: tuple[Slice, ...]
    left_out: int


def slices_of(reading: Reading, performance: Performance, engine: Engine) -> Slices | Missing:
    """The slices of the rows that performance is shown of, by its first metric.

    Args:
        reading: The rows.
        performance: What is known of them.
        engine: Where they are.
    """
    columns = reading.scored.slices
    if not columns:
        needed = "rows: …, score: …, label: …, time: …, " if reading.scored.is_record else ""
        return Missing("no slices are declared", f"meta: {{penstock: {{report: {{{needed}slices: [a column, …]}}}}}}")
    if performance.newest is None:
        return Missing("no label is final yet")
    rows = exp.select("*").from_(inside(reading.prepared(engine, performance.bucket)))
    rows = rows.where(at_or(PERIOD, performance.periods[0].start, after=True))
    told = slices(reading.scores(rows), columns, engine.dialect, numbers=reading.numbers)
    [metric, *_] = reading.metrics
    own = exp.select("*").from_(inside(told)).where(exp.column("metric").eq(metric))
    counted = extended(own, {"is_all": f"CASE WHEN slice = '{ALL}' THEN 1 ELSE 0 END", "together": "COUNT(*) OVER ()"})
    worst = counted.order_by(
        "is_all DESC", "judged DESC", "gap_to_best DESC NULLS LAST", "rows DESC", "slice", "slice_value NULLS FIRST"
    ).limit(MOST + 1)
    found = engine.rows(worst)
    if not found:
        return Missing("no row has a score and a final label")
    names = Slice.__dataclass_fields__
    overall, *shown = (Slice(**{name: each[name] for name in names}) for each in found)
    return Slices(metric, overall, tuple(shown), int(found[0]["together"]) - len(found))
