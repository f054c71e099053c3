"""How far two histograms over the same bins are apart: one query for all features, from one scan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from sqlglot import exp

from penstock.dialects import Dialect, double
from penstock.errors import InvalidRequestError, UnknownNameError
from penstock.monitoring.drift.statistics import statistics
from penstock.monitoring.tails import chi2_sf, ks_sf
from penstock.monitoring.words import column, formula, known_dialect, source, window

Smoothing = Literal["none", "jeffreys"]
_PSEUDO_COUNT: Mapping[Smoothing, float] = {"none": 0.0, "jeffreys": 0.5}

STATISTICS = (
    "reference_rows", "current_rows", "bins", "psi", "js", "hellinger", "total_variation", "l_infinity",
    "ks", "ks_upper", "ks_p", "wasserstein", "wasserstein_error", "chi2", "chi2_p", "g", "g_p", "df",
)  # fmt: skip
"""The columns of the answer, after the keys."""


@dataclass(frozen=True)
class Histograms:
    """Pairs of histograms, reference and current, as rows of a relation: one row a bin of a key.

    Attributes:
        relation: A query, or the name of a table as the dialect writes it.
        keys: The columns that tell the pairs apart, such as feature and day; without any there is one pair.
        reference: The column of the reference's counts: whole numbers of rows, 0 or above; NULL is 0.
        current: The column of the current counts.
        position: Where a bin lies on the scale of a feature: its value, or the middle of its edges; for a bin open to
            one side the edge that it has, or any place beyond that. No two bins of a key have one position. NULL for a
            bin without a place, such as that of NULL. Without this column no feature has a scale.
        width: The distance of a bin's edges: 0 for a bin of one value, NULL for one open to a side. Without this
            column every bin is one value.
    """

    relation: str | exp.Query
    keys: tuple[str, ...] = ("feature",)
    reference: str = "n"
    current: str = "m"
    position: str | None = "position"
    width: str | None = None


def drift(histograms: Histograms, dialect: Dialect, *, smoothing: Smoothing = "none") -> exp.Select:
    """All statistics of each pair of histograms: one row a key, one scan, no join, work in proportion to the bins.

    With shares p = n/N and q = m/M, and distribution functions F and G over the bins that have a position:

    - `psi`: population stability index, Σ (q-p) ln(q/p); infinite where only one side has rows in a bin, unless
      smoothed.
    - `js`: Jensen-Shannon distance, the root of the divergence, base 2: 0 to 1.
    - `hellinger`: the root of ½ Σ (√p - √q)²: 0 to 1. `total_variation`: ½ Σ |p-q|. `l_infinity`: max |p-q|.
    - `ks`: max |F-G| at the bins' upper edges; the distance D of the rows themselves is from `ks` to `ks_upper`,
      which are equal where each bin is one value. `ks_p`: Kolmogorov's Q(√(nm/(n+m)) `ks`) of n and m rows with a
      position; with wide bins rather too large, as `ks` is rather too small.
    - `wasserstein`: Σ |F-G| times the distance to the next position, in the feature's unit, exact where each bin is one
      value; that of the rows is within `wasserstein_error` of it: no row is farther than half a width from its
      bin's middle. Infinite where a bin open to a side has rows.
    - `chi2`, `g`: Pearson's and the likelihood-ratio statistic of the table of two samples by bins, with the p-values
      `chi2_p` and `g_p` at `df` = bins - 1.

    Bins empty on both sides count nowhere, nor in `bins` and `df`. A side without rows makes the statistics NULL; a
    side without rows that have a position those of the scale. With one bin left, `df` is 0 and both p-values are NULL.

    Args:
        histograms: The relation and its columns.
        dialect: Whose SQL it is.
        smoothing: `jeffreys` adds ½ to each count for `psi`, so that it is finite.

    Returns:
        A query of the keys and `STATISTICS`: the first three and `df` BIGINT, the others DOUBLE.

    Raises:
        InvalidRequestError: A key has the name of a statistic, or is named twice.
        UnknownNameError: The dialect or the smoothing is none of those.

    Example:
        >>> import duckdb, sqlglot
        >>> pair = "SELECT * FROM (VALUES ('size', 1, 30, 10), ('size', 2, 70, 90)) AS t (feature, position, n, m)"
        >>> query = drift(Histograms(sqlglot.parse_one(pair)), "duckdb").sql("duckdb")
        >>> duckdb.sql(f"SELECT feature, round(chi2, 6), df, round(wasserstein, 6) FROM ({query})").fetchall()
        [('size', 12.5, 1, 0.2)]
    """
    known_dialect(dialect)
    if smoothing not in _PSEUDO_COUNT:
        raise UnknownNameError.of("smoothing", smoothing, _PSEUDO_COUNT)
    _check_keys(histograms.keys)
    keys = tuple(f"key_{at}" for at, _ in enumerate(histograms.keys))
    tails = {
        "ks_p": ks_sf(exp.column("ks_scaled"), dialect),
        "chi2_p": chi2_sf(exp.column("chi2"), exp.column("df"), dialect),
        "g_p": chi2_sf(exp.column("g"), exp.column("df"), dialect),
    }
    return (
        exp.select(
            *(exp.alias_(column(own), name, quoted=True) for own, name in zip(keys, histograms.keys, strict=True)),
            *(exp.alias_(tails[name], name) if name in tails else exp.column(name) for name in STATISTICS),
        )
        .with_("bins", _bins(histograms, keys, dialect))
        .with_("totals", _totals(keys))
        .with_("shares", _shares())
        .with_("statistics", statistics(keys, _PSEUDO_COUNT[smoothing]))
        .from_("statistics")
    )


def _check_keys(keys: Sequence[str]) -> None:
    seen: set[str] = set()
    for key in keys:
        if key.lower() in STATISTICS:
            raise InvalidRequestError(
                f"the key '{key}' has the name of a statistic", where="keys", fix="name the column otherwise in a query"
            )
        if key.lower() in seen:
            raise InvalidRequestError(f"the key '{key}' is named twice", where="keys")
        seen.add(key.lower())


def _bins(histograms: Histograms, keys: Sequence[str], dialect: Dialect) -> exp.Select:
    """The relation's columns under names of ours, which no key can meet."""
    own = {
        **{key: column(name) for key, name in zip(keys, histograms.keys, strict=True)},
        "n": formula("COALESCE(CAST(:count AS BIGINT), 0)", count=column(histograms.reference)),
        "m": formula("COALESCE(CAST(:count AS BIGINT), 0)", count=column(histograms.current)),
        "position": exp.cast(column(histograms.position) if histograms.position else exp.null(), "double"),
        "width": exp.cast(column(histograms.width), "double") if histograms.width else double(0.0),
    }
    return exp.select(*(exp.alias_(value, name) for name, value in own.items())).from_(
        source(histograms.relation, dialect)
    )


def _totals(keys: Sequence[str]) -> exp.Select:
    """Beside each bin the sums over its key, and over the bins up to its place.

    Those up to its place come first, so that Spark sorts once, by key and place, which is sorted by key, too.
    """
    by_place = exp.Ordered(this=exp.column("position"), nulls_first=True)
    placed_n = "SUM(CASE WHEN NOT position IS NULL THEN n ELSE 0 END)"
    placed_m = "SUM(CASE WHEN NOT position IS NULL THEN m ELSE 0 END)"
    sums = {
        "up_to_n": window(placed_n, keys, by_place),
        "up_to_m": window(placed_m, keys, by_place),
        "step": formula(":next - position", next=window("LEAD(position)", keys, by_place)),
        "all_n": window("SUM(n)", keys),
        "all_m": window("SUM(m)", keys),
        "bins": window("SUM(CASE WHEN n + m > 0 THEN 1 ELSE 0 END)", keys),
        "placed_n": window(placed_n, keys),
        "placed_m": window(placed_m, keys),
    }
    return exp.select("*", *(exp.alias_(value, name) for name, value in sums.items())).from_("bins")


def _shares() -> exp.Select:
    """Counts as shares, NULL on a side without rows."""

    def share(part: str, whole: str) -> exp.Expr:
        # Not a division by 0, which is an error under Spark's ANSI mode.
        return formula(f"CAST({part} AS DOUBLE) / NULLIF(CAST({whole} AS DOUBLE), 0e0)")

    shares = {
        "p": share("n", "all_n"),
        "q": share("m", "all_m"),
        "placed_p": share("n", "placed_n"),
        "placed_q": share("m", "placed_m"),
        "gap": formula(":f - :g", f=share("up_to_n", "placed_n"), g=share("up_to_m", "placed_m")),
    }
    return exp.select("*", *(exp.alias_(value, name) for name, value in shares.items())).from_("totals")
