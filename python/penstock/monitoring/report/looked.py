"""Features of which a table of drift says that they drifted, looked into: their histograms, and when and where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlglot import exp

from penstock.monitoring.drift import Window, compared
from penstock.monitoring.drift.root_cause import root_cause
from penstock.monitoring.drift.tiling import ALL
from penstock.monitoring.report.belongs import DriftTable
from penstock.monitoring.report.engine import Engine, among, at_or, moved
from penstock.monitoring.words import inside, named, totals
from penstock.semantic.durations import parse_duration

Names = Mapping[tuple[str, int], str]
_BUCKETS = 400  # in which a cause is looked for
_VALUES = 50  # of a segment that are blamed: those with the most rows
_SURE = 0.05


@dataclass(frozen=True)
class BinCount:
    """A bin of a feature: what it is called, and its share of the reference and of the newest window."""

    label: str
    reference: float
    current: float


@dataclass(frozen=True)
class Cause:
    """When a feature changed most, by its tiles.

    Attributes:
        start: The beginning of the first bucket after it.
        p: How likely chance has one as large, at one of all times and features that were tried.
        bin: The bin that changed most.
        blamed: The value of a segment that changed most, and its share of the changes of all values of that segment.
    """

    start: datetime
    p: float
    bin: str
    blamed: tuple[tuple[str, str, float], ...] = ()


@dataclass(frozen=True)
class Looked:
    """A feature that was looked into."""

    feature: str
    bins: tuple[BinCount, ...]
    cause: Cause | None


def looked_into(
    features: Sequence[str], table: DriftTable, end: datetime, version: int | None, engine: Engine
) -> tuple[Looked, ...]:
    """Look into features; nothing where the table's code does not say what it compares, or that is not built.

    Args:
        features: Which.
        table: The table of drift.
        end: Of the newest window.
        version: The version whose tiles are compared; None where the table has no versions, and compares all.
        engine: Where the tables are.
    """
    if not all(name and engine.has(name) for name in (table.tiles, table.baseline, table.edges)):
        return ()
    [row] = engine.rows(totals(engine.all_of(table.edges), [], {"edges_id": "MAX(edges_id)"}))
    own = exp.column("edges_id").eq(row["edges_id"])
    tiles, baseline = (engine.of_version(name, version) for name in (table.tiles, table.baseline))
    tiles, baseline = (rows.where(own, among("feature", features)) for rows in (tiles, baseline))
    sides = [each.copy().where(exp.column("segment").eq(ALL)) for each in (baseline, tiles)]
    windows = Window(sides[0], row["edges_id"]), _newest(table, sides[1], row["edges_id"], end)
    query = compared(table.edges, *windows, engine.dialect, keys=("feature",)).relation
    assert isinstance(query, exp.Query)
    bins = engine.rows(query)
    names = _names(engine.all_of(table.edges).where(own, among("feature", features)), engine)
    causes = _causes(tiles, row["edges_id"], end, table, names, engine)
    return tuple(
        Looked(each, _shares([b for b in bins if b["feature"] == each], names), causes.get(each)) for each in features
    )


def _newest(table: DriftTable, tiles: exp.Select, edges_id: str, end: datetime) -> Window:
    """The tiles of the newest window."""
    count, unit = table.window.split() if table.bucket == "month" else ("", "")
    if unit in ("month", "months"):
        return Window(tiles, edges_id, moved(end, "month", -int(count)), end)
    length = parse_duration(table.window, where="window")
    return Window(tiles, edges_id, moved(end, length.unit, -length.count), end)


def _names(edges: exp.Select, engine: Engine) -> dict[tuple[str, int], str]:
    """What each bin is called."""
    return {(each["feature"], int(each["bin"])): name_of(each) for each in engine.rows(edges)}


def name_of(bin_: Mapping[str, Any]) -> str:
    """What a bin of edges is called.

    Example:
        >>> name_of({"kind": "number", "bin": 1, "low": 0.0, "high": 0.5, "level": None})
        '0 to 0.5'
    """
    special = {-1: "missing", -2: "not a number", -3: "infinite"}
    if bin_["bin"] in special:
        return special[bin_["bin"]]
    if bin_["kind"] == "text":
        return "others" if bin_["level"] is None else str(bin_["level"])
    low, high = (None if bin_[end] is None else f"{bin_[end]:.4g}" for end in ("low", "high"))
    if low is None or high is None:
        return f"above {low}" if high is None else f"below {high}"
    return low if low == high else f"{low} to {high}"


def _shares(rows: Sequence[Mapping[str, Any]], names: Names) -> tuple[BinCount, ...]:
    n, m = (sum(int(each[side]) for each in rows) or 1 for side in "nm")
    ordered = sorted(rows, key=lambda each: each["bin"])
    return tuple(
        BinCount(names.get((each["feature"], each["bin"]), str(each["bin"])), int(each["n"]) / n, int(each["m"]) / m)
        for each in ordered
    )


def _causes(
    tiles: exp.Select, edges_id: str, end: datetime, table: DriftTable, names: Names, engine: Engine
) -> dict[str, Cause]:
    """When features changed most where that is no chance, and of each segment the value that changed most then."""
    recent = tiles.copy().where(at_or("bucket", moved(end, table.bucket, -_BUCKETS), after=True))
    rows = engine.rows(root_cause(Window(_with_many_rows(recent), edges_id), engine.dialect))
    causes = {}
    for row in rows:
        if row["segment"] == ALL and row["p_adjusted"] is not None and row["p_adjusted"] <= _SURE:
            feature, bin_ = row["feature"], int(row["bin"])
            name = names.get((feature, bin_), str(bin_))
            causes[feature] = Cause(row["started"], _digits(row["p_adjusted"]), name, _blamed(rows, feature))
    return causes


def _with_many_rows(tiles: exp.Select) -> exp.Select:
    """The tiles of all rows, and of the values of segments that have most rows."""
    sized = exp.select("*", *named({"size": "SUM(n) OVER (PARTITION BY feature, segment, value)"}))
    ranking = "DENSE_RANK() OVER (PARTITION BY feature, segment ORDER BY size DESC, value)"
    ranked = exp.select("*", *named({"place": ranking})).from_(inside(sized.from_(inside(tiles))))
    return exp.select("*").from_(inside(ranked)).where(f"place <= {_VALUES}")


def _blamed(rows: Sequence[Mapping[str, Any]], feature: str) -> tuple[tuple[str, str, float], ...]:
    """Of each segment the value that changed most, and its share of what all its values changed."""
    answer = []
    for segment in sorted({row["segment"] for row in rows} - {ALL}):
        own = [row for row in rows if (row["feature"], row["segment"]) == (feature, segment) and row["g_of_all"]]
        if own:
            most = min(own, key=lambda row: (-row["g_of_all"], str(row["value"])))
            value = "NULL" if most["value"] is None else str(most["value"])
            answer.append((segment, value, _digits(most["g_of_all"] / sum(row["g_of_all"] for row in own))))
    return tuple(answer)


def _digits(value: float) -> float:
    """Without the last digits, in which sums of one set of rows differ."""
    return float(f"{value:.9g}")
