"""Drift by feature and window, and where it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlglot import exp

from penstock.monitoring.drift.tiling import ALL
from penstock.monitoring.report.belongs import DriftTable
from penstock.monitoring.report.engine import Engine, Missing, among, at_or
from penstock.monitoring.report.looked import Looked, looked_into
from penstock.monitoring.words import formula, inside, named, totals

FEATURES, WINDOWS, PLACES = 25, 60, 10
"""What is drawn at most: the features that drifted most in the newest window, the newest windows, and segments."""
_LOOKED_INTO = 4  # of the features


@dataclass(frozen=True)
class Cell:
    """A feature in a window: how far it is from the reference, how likely by chance, of how many rows."""

    size: float | None
    p: float | None
    rows: int


@dataclass(frozen=True)
class Place:
    """A feature in a value of a segment, in the newest window."""

    segment: str
    value: str | None
    feature: str
    size: float
    p: float
    rows: int


@dataclass(frozen=True)
class Drift:
    """What a table of drift says.

    Attributes:
        table: Which.
        features: The features that are drawn: those that drifted most in the newest window first.
        all_features, drifted: How many there are, and how many of them drifted in the newest window.
        windows: The ends of the windows that are drawn, in order.
        all_windows: How many there are.
        cells: By feature and window.
        places: Where the newest window drifted most.
        looked: The first features, looked into; nothing where the table's code does not say what it compares.
    """

    table: DriftTable
    features: tuple[str, ...]
    all_features: int
    drifted: int
    windows: tuple[datetime, ...]
    all_windows: int
    cells: Mapping[tuple[str, datetime], Cell]
    places: tuple[Place, ...] = ()
    looked: tuple[Looked, ...] = ()

    def is_drift(self, cell: Cell | None) -> bool:
        """Whether a change is sure and matters."""
        return cell is not None and _is_drift(self.table, cell.size, cell.p)


def _is_drift(table: DriftTable, size: float | None, p: float | None) -> bool:
    return size is not None and p is not None and p <= table.alpha and size > table.min_effect


def drift_of(table: DriftTable, version: int | None, engine: Engine) -> Drift | Missing:
    """What a table of drift says.

    Args:
        table: Which.
        version: The live version, if one is: where the table has versions, that one is shown.
        engine: Where it is.
    """
    if not engine.has(table.relation):
        return Missing(f"{table.name} is not built", f"dbt build --select +{table.name}")
    # A table without versions compares all tiles with the whole of the baseline's.
    one = version if "version" in engine.columns(table.relation) else None
    own = engine.of_version(table.relation, one)
    whole = own.copy().where(exp.column("segment").eq(ALL))
    ends = totals(whole, ["window_end"], {})
    listed = exp.select("window_end", *named({"together": "COUNT(*) OVER ()"})).from_(inside(ends))
    windows = engine.rows(listed.order_by("window_end DESC").limit(WINDOWS))
    if not windows:
        return Missing(f"{table.name} has no windows", f"dbt build --select +{table.name}")
    newest = exp.select("*").from_(inside(own.copy())).where(_is(windows[0]["window_end"]))
    ranked = engine.rows(_ranked(table, newest.copy().where(exp.column("segment").eq(ALL))).limit(FEATURES))
    features = [each["feature"] for each in ranked]
    cells = _cells(table, whole, features, windows[-1]["window_end"], engine)
    elsewhere = _ranked(table, newest.where(exp.column("segment").neq(ALL))).where("drifts = 1").limit(PLACES)
    places = [
        Place(each["segment"], each["value"], each["feature"], each["size"], each["p"], int(each["current_rows"]))
        for each in engine.rows(elsewhere)
    ]
    return Drift(
        table=table,
        features=tuple(features),
        all_features=int(ranked[0]["together"]),
        drifted=int(ranked[0]["drifted"]),
        windows=tuple(each["window_end"] for each in reversed(windows)),
        all_windows=int(windows[0]["together"]),
        cells=cells,
        places=tuple(places),
        looked=looked_into(features[:_LOOKED_INTO], table, windows[0]["window_end"], one, engine),
    )


def _is(end: datetime) -> exp.Expr:
    return exp.EQ(this=exp.column("window_end"), expression=at_or("window_end", end, after=True).expression)


def _ranked(table: DriftTable, rows: exp.Select) -> exp.Select:
    """The rows with `size`, `p` and `drifts`, the greatest drift first; and how many there are, and drift."""
    sure = formula(
        "CASE WHEN p_adjusted <= :alpha AND :size > :least THEN 1 ELSE 0 END",
        alpha=table.alpha, size=exp.column(table.effect), least=table.min_effect,
    )  # fmt: skip
    told = exp.select("*", *named({"size": exp.column(table.effect), "p": exp.column("p_adjusted"), "drifts": sure}))
    counted = {"together": "COUNT(*) OVER ()", "drifted": "SUM(drifts) OVER ()"}
    ranked = exp.select("*", *named(counted)).from_(inside(told.from_(inside(rows))))
    return ranked.order_by("drifts DESC", "size DESC NULLS LAST", "feature", "segment", "value NULLS FIRST")


def _cells(
    table: DriftTable, whole: exp.Select, features: Sequence[str], oldest: datetime, engine: Engine
) -> dict[tuple[str, datetime], Cell]:
    told: dict[str, exp.Expr | str] = {"size": exp.column(table.effect), "p": "p_adjusted"}
    query = exp.select("window_end", "feature", "current_rows", *named(told)).from_(inside(whole.copy()))
    query = query.where(among("feature", features), at_or("window_end", oldest, after=True))
    return {
        (each["feature"], each["window_end"]): Cell(each["size"], each["p"], int(each["current_rows"] or 0))
        for each in engine.rows(query)
    }
