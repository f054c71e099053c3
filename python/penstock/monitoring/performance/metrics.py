"""Realised performance of a classifier, from rows or from score tiles, with standard errors and intervals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlglot import exp

from penstock.dialects import Dialect
from penstock.errors import InvalidRequestError
from penstock.monitoring.performance.answers import told
from penstock.monitoring.performance.formulas import METRICS
from penstock.monitoring.performance.score_tiles import STATE, check_bins, grouped
from penstock.monitoring.performance.scores import ANSWER, Scores, as_given, check_keys, counted, own_names
from penstock.monitoring.words import (
    column,
    extended,
    formula,
    inside,
    known_dialect,
    named,
    source,
    steps,
    totals,
    window,
)

CALIBRATION_BINS = 10
"""The bins of one width of the expected calibration error, as most of the literature has it."""


def performance(scores: Scores, dialect: Dialect, *, confidence: float = 0.95) -> exp.Select:
    """How good scores were where labels are known: one row a key and metric, from one scan of the rows.

    - `positives`: the share of positives; `mean_score`; equal on average where scores are calibrated.
    - `accuracy`, `precision`, `recall`, `f1` of the predictions at the threshold.
    - `auc`: the area under the ROC curve, exact: the share of pairs of a positive and another row that the score puts
      in order, equal scores counting half.
    - The mean of each of `losses.LOSSES`; `squared_error` is the Brier score.
    - `ece`: the expected calibration error, Σ n_b/n |ȳ_b - p̄_b| over 10 bins of one width.

    Intervals: Wilson's (J. Am. Stat. Assoc. 22, 1927) for shares of outcomes; else the metric ± z standard errors, by
    the central limit theorem, DeLong for `auc`, and the delta method for ratios. There is none for `ece`. What
    `standard_error` is of is in `formulas`.

    Args:
        scores: The rows.
        dialect: Whose SQL it is.
        confidence: How often the interval is to have the true value in it.

    Returns:
        A query of the keys and `metric`; `value`, `standard_error`, `low` and `high`, DOUBLE, NULL where there is none,
        such as `auc` of one class; `rows`, BIGINT; `binned_error`, DOUBLE, which is 0. A key without rows has no row.

    Raises:
        UnknownNameError: The dialect is neither of the two.
        InvalidRequestError: The confidence is none.

    Example:
        >>> import duckdb, sqlglot
        >>> rows = "SELECT * FROM (VALUES (1, 0.8e0), (0, 0.3e0), (1, 0.4e0), (0, 0.6e0)) AS t (label, score)"
        >>> query = performance(Scores(sqlglot.parse_one(rows)), "duckdb").sql("duckdb")
        >>> duckdb.sql(f"SELECT metric, value FROM ({query}) WHERE metric IN ('accuracy', 'auc')").fetchall()
        [('accuracy', 0.5), ('auc', 0.75)]
    """
    known_dialect(dialect)
    own = own_names(scores.keys)
    answer = of_rows(counted(scores, dialect), scores, confidence=confidence)
    return exp.select(*as_given(own), *COLUMNS).from_(inside(answer), copy=False)


def of_rows(rows: exp.Select, scores: Scores, *, confidence: float) -> exp.Select:
    """The metrics of `counted` rows by the keys (under names of ours) and `label_is`."""
    cell = formula(
        "CAST(FLOOR(LEAST(GREATEST(place * :cells, 0e0), :last)) AS BIGINT)",
        cells=CALIBRATION_BINS,
        last=CALIBRATION_BINS - 1,
    )
    tiles = extended(grouped(rows, scores, exp.column("p"), "place"), {"cell": cell})
    return from_tiles(tiles, list(own_names(scores.keys)), confidence=confidence, exact=True)


def performance_of_tiles(
    relation: str | exp.Query,
    dialect: Dialect,
    *,
    keys: Sequence[str] = (),
    bins: int = 1000,
    confidence: float = 0.95,
) -> exp.Select:
    """The answer of `performance` from score tiles, which are added up over whatever is no key, such as days.

    All but `auc` are those of the rows. Two rows of one bin may be in order or not, which counts half: `auc` of the
    rows is within `binned_error`, Σ P_b N_b / (2 P N) over the bins' positives and others, of the value here.

    Args:
        relation: A query of tiles, or the name of their table as the dialect writes it, with the columns of
            `score_tiles`; a `WHERE` chooses the window.
        dialect: Whose SQL it is.
        keys: Those of the tiles' keys by which performance is told.
        bins: The number of bins with which the tiles were made, a multiple of 10.
        confidence: How often the interval is to have the true value in it.

    Raises:
        UnknownNameError: The dialect is neither of the two.
        InvalidRequestError: A key has the name of a column of the answer, or the bins are no multiple of 10.
    """
    known_dialect(dialect)
    check_keys(keys, ANSWER)
    check_calibration_bins(bins)
    own = own_names(keys)
    given: dict[str, exp.Expr | str] = {
        **{name: column(key) for name, key in own.items()},
        "label_is": "label_is",
        "place": "bin",
    }
    tiles = exp.select(*named(given), *STATE).from_(source(relation, dialect), copy=False)
    cell = formula("CAST(FLOOR(place / :wide) AS BIGINT)", wide=bins // CALIBRATION_BINS)
    placed = extended(added_up(tiles, [*own, "label_is", "place"]), {"cell": cell})
    answer = from_tiles(placed, list(own), confidence=confidence)
    return exp.select(*as_given(own), *COLUMNS).from_(inside(answer), copy=False)


def check_calibration_bins(bins: int) -> None:
    """Refuse bins that do not fall into those of the calibration error.

    Raises:
        InvalidRequestError: They don't, or there are none.
    """
    check_bins(bins)
    if bins % CALIBRATION_BINS:
        raise InvalidRequestError(
            f"{bins} bins do not fall into the {CALIBRATION_BINS} of the calibration error",
            where="bins",
            fix=f"make tiles of a multiple of {CALIBRATION_BINS} bins",
        )


COLUMNS = ("metric", "value", "standard_error", "low", "high", "rows", "binned_error")
"""The columns of an answer, after the keys."""


def added_up(tiles: exp.Query, by: Sequence[str]) -> exp.Select:
    """Tiles added up."""
    return totals(tiles, by, _summed(STATE))


def from_tiles(tiles: exp.Query, keys: Sequence[str], *, confidence: float, exact: bool = False) -> exp.Select:
    """The metrics of tiles, one a key (under names of ours), `label_is` and `place`, each with its `cell`.

    Args:
        tiles: The tiles; `place` orders them, and `cell` is their bin of the calibration error.
        keys: The columns of the keys beside `label_is`.
        confidence: Of the intervals.
        exact: Whether each tile is of one score, so that the area under the curve is that of the rows.

    Returns:
        `keys`, `label_is`, `COLUMNS`, and `share`, the effective number of rows that a share of outcomes is of.
    """
    by = [*keys, "label_is"]
    answer = told(exp.select("*").from_("sums"), METRICS, confidence=confidence)
    error = "0e0 * n" if exact else "CASE metric WHEN 'auc' THEN tied ELSE 0e0 END"
    last = named({"rows": "n", "binned_error": error})
    answer = exp.select(*by, *COLUMNS[:-2], *last, "share").from_(inside(answer), copy=False)
    return steps(
        answer,
        {
            "running": extended(tiles, _running(by)),
            "placements": extended("running", _PLACEMENTS),
            "areas": extended("placements", {"area": formula(_AREA, sum=window("SUM(wy * below)", by))}),
            "cells": totals("areas", [*by, "cell"], {**_summed(STATE), **_OF_CELL}),
            "sums": totals("cells", by, {**_summed([*STATE, *_OF_CELL]), **_OF_KEY}),
        },
    )


def _running(by: Sequence[str]) -> dict[str, exp.Expr]:
    """Beside each tile the positives and the others up to it, and of the whole key."""
    up = exp.Ordered(this=exp.column("place"), nulls_first=True)
    return {
        "positives_to": window("SUM(wy)", by, up),
        "others_to": window("SUM(w - wy)", by, up),
        "positives": window("SUM(wy)", by),
        "others": window("SUM(w - wy)", by),
    }


# DeLong's placements: the share of others below a row, and of positives above it, equal ones counting half.
_PLACEMENTS = {
    "below": "(others_to - 5e-1 * (w - wy)) / NULLIF(others, 0e0)",
    "above": "(positives - positives_to + 5e-1 * wy) / NULLIF(positives, 0e0)",
}
# The area under the curve is the mean placement of the positives.
_AREA = ":sum / NULLIF(positives, 0e0)"
_OF_CELL = {
    "area": "MAX(area)",
    "area_1": "SUM(w2y2 * (below - area) * (below - area))",
    "area_0": "SUM((w2 - 2e0 * w2y + w2y2) * (above - area) * (above - area))",
    # From here on of how far labels vary: 0 where they are 1 and 0.
    "area_cross": "SUM((w2y - w2y2) * (below - area) * (above - area))",
    "area_var_1": "SUM((w2y - w2y2) * (below - area) * (below - area))",
    "area_var_0": "SUM((w2y - w2y2) * (above - area) * (above - area))",
    "tied": "SUM(wy * (w - wy)) / NULLIF(2e0 * MAX(positives) * MAX(others), 0e0)",
    "miscalibrated": "ABS(SUM(wy - wp))",
}
_OF_KEY = {"area": "MAX(area)", "n": "CAST(SUM(n) AS BIGINT)"}


def _summed(names: Iterable[str]) -> dict[str, str]:
    return {name: f"SUM({name})" for name in names}
