"""Features of which a table of drift says that they drifted, looked into: their histograms, and when and where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from penstock.errors import InvalidRequestError
from penstock.monitoring.drift import Window, compared
from penstock.monitoring.drift.root_cause import Change, blamed, change
from penstock.monitoring.drift.tiling import ALL
from penstock.monitoring.report.belongs import DriftTable
from penstock.monitoring.report.engine import Engine, among, at_or, moved
from penstock.monitoring.words import formula, inside, named, totals
from penstock.semantic.durations import parse_duration

if TYPE_CHECKING:
    import numpy as np

Names = Mapping[tuple[str, int], str]
_BUCKETS = 400  # in which a cause is looked for
_VALUES = 50  # of a segment that are blamed: those with the most rows
_SURE = 0.05
_COUNTED = {"n": "CAST(SUM(n) AS BIGINT)"}


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
        p: How often buckets in another order have as large a change.
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
    causes = _causes(features, tiles, end, table, names, engine)
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
    features: Sequence[str], tiles: exp.Select, end: datetime, table: DriftTable, names: Names, engine: Engine
) -> dict[str, Cause]:
    """When features changed most, of those where that is no chance."""
    recent = tiles.copy().where(at_or("bucket", moved(end, table.bucket, -_BUCKETS), after=True))
    whole = recent.copy().where(exp.column("segment").eq(ALL))
    rows = engine.rows(totals(whole, ["feature", "bucket", "bin"], _COUNTED))
    causes: dict[str, Cause] = {}
    for feature in features:
        own = [each for each in rows if each["feature"] == feature]
        if not own:
            continue
        starts = _every({each["bucket"] for each in own}, table.bucket)
        bins = sorted({each["bin"] for each in own})
        try:
            found = change(_table(own, starts, bins, "bucket"))
        except InvalidRequestError:  # one bucket has no change in it
            continue
        if found.p <= _SURE:
            bin_ = bins[found.bin]
            causes[feature] = Cause(starts[found.start], found.p, names.get((feature, bin_), str(bin_)))
    where = _blamed(causes, recent, engine) if causes else {}
    return {feature: replace(cause, blamed=where.get(feature, ())) for feature, cause in causes.items()}


def _every(known: set[datetime], bucket: str) -> list[datetime]:
    """All buckets from the first to the last, those without rows, too."""
    starts = [min(known)]
    while starts[-1] < max(known):
        starts.append(moved(starts[-1], bucket, 1))
    # An hour that a clock was put forward by is not where it is looked for.
    return sorted({*starts, *known})


def _table(rows: Sequence[Mapping[str, Any]], places: Sequence[Any], bins: Sequence[int], place: str) -> np.ndarray:
    import numpy as np

    counts = np.zeros((len(places), len(bins)))
    at, of = ({each: number for number, each in enumerate(values)} for values in (places, bins))
    for each in rows:
        counts[at[each[place]], of[each["bin"]]] += each["n"]
    return counts


def _blamed(
    causes: Mapping[str, Cause], tiles: exp.Select, engine: Engine
) -> dict[str, tuple[tuple[str, str, float], ...]]:
    """Of each segment the value that changed most when its feature did, and its share of what all values changed."""
    parts = exp.select("*").from_(inside(tiles.copy())).where(exp.column("segment").neq(ALL))
    parts = parts.where(among("feature", list(causes)))
    after = [
        exp.and_(exp.column("feature").eq(name), at_or("bucket", cause.start, after=True))
        for name, cause in causes.items()
    ]
    side = formula("CASE WHEN :after THEN 1 ELSE 0 END", after=exp.paren(exp.or_(*after)))
    told = exp.select("feature", "segment", "value", "bin", "n", *named({"side": side})).from_(inside(parts))
    counted = totals(told, ["feature", "segment", "value", "bin", "side"], _COUNTED)
    sized = exp.select("*", *named({"size": "SUM(n) OVER (PARTITION BY feature, segment, value)"}))
    ranking = "DENSE_RANK() OVER (PARTITION BY feature, segment ORDER BY size DESC, value)"
    ranked = exp.select("*", *named({"place": ranking})).from_(inside(sized.from_(inside(counted))))
    rows = engine.rows(exp.select("*").from_(inside(ranked)).where(f"place <= {_VALUES}"))
    answer: dict[str, tuple[tuple[str, str, float], ...]] = {}
    for feature, segment in sorted({(each["feature"], each["segment"]) for each in rows}):
        own = [each for each in rows if (each["feature"], each["segment"]) == (feature, segment)]
        bins = sorted({each["bin"] for each in own})
        of_value: dict[str, list[Mapping[str, Any]]] = {}
        for each in own:
            of_value.setdefault("NULL" if each["value"] is None else str(each["value"]), []).append(each)
        tables = {value: _table(of_it, [0, 1], bins, "side") for value, of_it in sorted(of_value.items())}
        # What of a change falls on a value depends on no order: two buckets, before and after, are enough.
        sizes = blamed(tables, Change(1, 2, 0.0, 0.0, ()))
        if sum(sizes.values()) > 0:
            most = next(iter(sizes))
            answer[feature] = (*answer.get(feature, ()), (segment, most, sizes[most] / sum(sizes.values())))
    return answer
