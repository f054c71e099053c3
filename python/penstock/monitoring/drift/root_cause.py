"""When and where features changed, from their tiles: the time within which they differ most from those outside.

What is compared is G, the likelihood ratio of the table of two samples (inside and outside) by bins, at every time at
once from sums up to each bucket. The greatest G of many times is large by chance, too: its p-value is multiplied by how
many times were tried (Bonferroni), and those of all series are adjusted by Benjamini and Hochberg.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

from sqlglot import exp

from penstock.dialects import Dialect
from penstock.errors import InvalidRequestError, UnknownNameError
from penstock.monitoring.discovery import adjusted
from penstock.monitoring.drift.tiling import ALL
from penstock.monitoring.drift.windows import SERIES, Window, within
from penstock.monitoring.tails import chi2_sf
from penstock.monitoring.words import column, extended, formula, known_dialect, named, steps, totals, window

Shape = Literal["split", "window"]
COLUMNS = (
    "started", "ended", "g", "df", "p", "p_adjusted", "bin", "inside", "outside", "tried", "g_of_all",
)  # fmt: skip
"""The columns of the answer beside the keys."""
_ROWS_A_BIN = 5
"""How many rows a bin the smaller side has, on average: of fewer ones G is not chi-squared."""
_LN = "CASE WHEN {0} > 0e0 THEN {0} * LN({1}) ELSE 0e0 END"


def root_cause(tiles: Window, dialect: Dialect, *, shape: Shape = "split", keys: Sequence[str] = SERIES) -> exp.Select:
    """The query of the greatest change of each series: one row for each that has two buckets or more.

    - `started` is the first bucket inside, and `ended` the first one after it, NULL of a change that stays: all buckets
      that follow are inside.
    - `g` is the likelihood ratio, at `df` degrees of freedom; `p` is the probability that one of the `tried` times has
      such a one by chance, at most; `p_adjusted` is that beside all other series. They suppose that rows are
      independent, and that all buckets are of one distribution where nothing changed.
    - `bin` is the bin that makes up most of `g`; `inside` and `outside` count the rows.
    - `g_of_all` is the series' own G at the time at which the segment of all rows changed: the greatest one is of the
      segment that changed most then.

    Times at which one side has fewer than five rows a bin, on average, are not tried. A series without a time that
    can be tried has a row without one.

    Args:
        tiles: Which tiles, of which time.
        dialect: Whose SQL it is.
        shape: `split`: a change that stays. `window`: one that goes away again, for which the work grows with the
            square of the number of buckets.
        keys: The columns of a series, `segment`, `value` and `feature` among them, and `version` where there is one.

    Raises:
        UnknownNameError: There is no such shape or dialect.
        InvalidRequestError: One of these keys is missing.

    Example:
        >>> import duckdb, sqlglot
        >>> counts = "CASE WHEN bin = 0 THEN 50 WHEN day < 10 THEN 50 ELSE 90 END"
        >>> rows = "SELECT 'x' AS edges_id, 'all' AS segment, NULL AS value, 'size' AS feature, bin,"
        >>> rows += f" DATE '2026-01-01' + CAST(day AS INT) AS bucket, {counts} AS n"
        >>> rows += " FROM RANGE(15) AS a(day), RANGE(2) AS b(bin)"
        >>> query = root_cause(Window(sqlglot.parse_one(rows, dialect="duckdb"), "x"), "duckdb").sql("duckdb")
        >>> duckdb.sql(f"SELECT feature, CAST(started AS TEXT), bin, p < 0.01 FROM ({query})").fetchall()
        [('size', '2026-01-11 00:00:00', 0, True)]
    """
    known_dialect(dialect)
    if shape not in get_args(Shape):
        raise UnknownNameError.of("shape", shape, get_args(Shape))
    for name in SERIES:
        if name not in keys:
            raise InvalidRequestError(f"there is no {name} among the keys", where="keys", fix=f"add '{name}'")
    own = {f"key_{at}": name for at, name in enumerate(keys)}
    told = steps(
        exp.select("*").from_("told"),
        {
            **_sums(tiles, own, dialect),
            **_ranges(own, shape),
            **_greatest(own, dialect),
            "told": _beside_all(own),
        },
    )
    again = adjusted(told, dialect, p="p")
    answer = [exp.alias_(column(name), given, quoted=True) for name, given in own.items()]
    return exp.select(*answer, *COLUMNS).from_(again.subquery("adjusted"))


def _sums(tiles: Window, own: Mapping[str, str], dialect: Dialect) -> dict[str, exp.Query]:
    """How many rows of each series and bin there are before each bucket, and in all."""
    keys = [column(name) for name in own]
    given: dict[str, exp.Expr | str] = {**{name: column(key) for name, key in own.items()}, "bin": "bin", "n": "n"}
    given["bucket"] = "CAST(bucket AS TIMESTAMP)"
    counted = exp.select(*named(given)).from_(within(tiles, dialect).subquery("tiles"))
    cells = totals(counted, [*own, "bucket", "bin"], {"n": "CAST(SUM(n) AS DOUBLE)"})
    order = exp.Ordered(this=exp.column("bucket"), nulls_first=True)
    turns = extended(exp.select("bucket").distinct().from_("cells"), {"turn": window("ROW_NUMBER()", (), order)})
    bins = totals("cells", [*own, "bin"], {"total": "SUM(n)"}).having("SUM(n) > 0e0")
    same = exp.and_(
        *(exp.NullSafeEQ(this=exp.column(name, "b"), expression=exp.column(name, "c")) for name in own),
        "b.bin = c.bin",
        "t.bucket = c.bucket",
    )
    every = (
        exp.select(*(exp.column(name, "b") for name in own), "b.bin", "b.total", "t.bucket", "t.turn")
        .select(exp.alias_(formula("COALESCE(c.n, 0e0)"), "n"))
        .from_(exp.to_table("bins").as_("b"))
        .join(exp.to_table("turns").as_("t"), join_type="cross")
        .join(exp.to_table("cells").as_("c"), on=same, join_type="left")
    )
    by_turn = exp.Ordered(this=exp.column("turn"), nulls_first=True)
    before = exp.select(*keys, "bin", "total", "bucket", "turn").select(
        exp.alias_(formula(":up_to - n", up_to=window("SUM(n)", [*own, "bin"], by_turn)), "before")
    )
    return {"cells": cells, "turns": turns, "bins": bins, "every": every, "sums": before.from_("every")}


def _ranges(own: Mapping[str, str], shape: Shape) -> dict[str, exp.Query]:
    """Of each range of buckets and each bin, how many rows are inside."""
    mine = [exp.column(name, "s") for name in own]
    split = (
        exp.select(*mine, "s.bin", "s.total", "s.bucket AS started", "s.turn")
        .select(exp.alias_(exp.cast(exp.null(), "timestamp"), "ended"))
        .select(exp.alias_(formula("s.total - s.before"), "inside"))
        .from_(exp.to_table("sums").as_("s"))
        .where("s.turn > 1")
    )
    if shape == "split":
        return {"ranges": split}
    same = exp.and_(
        *(exp.NullSafeEQ(this=exp.column(name, "s"), expression=exp.column(name, "e")) for name in own),
        "s.bin = e.bin",
        "s.turn < e.turn",
    )
    closed = (
        exp.select(*mine, "s.bin", "s.total", "s.bucket AS started", "s.turn")
        .select(exp.alias_(exp.column("bucket", "e"), "ended"))
        .select(exp.alias_(formula("e.before - s.before"), "inside"))
        .from_(exp.to_table("sums").as_("s"))
        .join(exp.to_table("sums").as_("e"), on=same)
        .where("s.turn > 1")
    )
    # From a bucket to the last one is a split; from the first one on is the rest of a split, with the same G.
    return {"ranges": exp.union(split, closed, distinct=False)}


def _greatest(own: Mapping[str, str], dialect: Dialect) -> dict[str, exp.Query]:
    """The likelihood ratio of each range, and the greatest one of each series."""
    of_range = [*own, "started", "ended"]
    sides = extended(
        "ranges",
        {
            "outside": "total - inside",
            "all_in": window("SUM(inside)", of_range),
            "all_of": window("SUM(total)", of_range),
            "bins": window("COUNT(*)", of_range),
        },
    )
    # O ln(O / E) of both sides; E is the row's total times the column's, over all.
    part = " + ".join(
        _LN.format(side, f"{side} * all_of / (total * {whole})")
        for side, whole in (("inside", "all_in"), ("outside", "(all_of - all_in)"))
    )
    parts = extended(sides, {"part": f"2e0 * ({part})"})
    # Sums of doubles differ in their last digits: of equal ones the first bin, and the first time.
    g = {
        "turn": "MAX(turn)",
        "g": "SUM(part)",
        "df": "CAST(MAX(bins) - 1 AS BIGINT)",
        "bin": "MAX_BY(bin, ROUND(part, 6) - 1e-10 * bin)",
        "inside": "CAST(MAX(all_in) AS BIGINT)",
        "outside": "CAST(MAX(all_of - all_in) AS BIGINT)",
    }
    of_each = totals(parts, of_range, g)
    enough = formula(f"LEAST(inside, outside) >= {_ROWS_A_BIN} * (df + 1)")
    tried = extended(of_each, {"is_tried": enough})
    first = [
        exp.Ordered(this=exp.column("is_tried"), desc=True, nulls_first=False),
        exp.Ordered(this=formula("ROUND(g, 6)"), desc=True, nulls_first=False),
        exp.Ordered(this=exp.column("turn"), nulls_first=True),
        exp.Ordered(this=exp.column("ended"), nulls_first=True),
    ]
    place = exp.Window(
        this=formula("ROW_NUMBER()"), partition_by=[column(name) for name in own], order=exp.Order(expressions=first)
    )
    ranked = extended(
        "of_ranges", {"place": place, "tried": window("SUM(CASE WHEN is_tried THEN 1 ELSE 0 END)", list(own))}
    )
    best = exp.select("*").from_(ranked.subquery("ranked")).where("place = 1")
    tail = formula(
        "CASE WHEN tried > 0 AND df > 0 THEN LEAST(1e0, CAST(tried AS DOUBLE) * :tail) END",
        tail=chi2_sf(exp.column("g"), exp.column("df"), dialect),
    )
    return {"of_ranges": tried, "best": extended(best, {"p": tail})}


def _beside_all(own: Mapping[str, str]) -> exp.Select:
    """Each series' greatest change, with its likelihood ratio at that of all rows."""
    segment = next(name for name, key in own.items() if key == "segment")
    shared = [name for name, key in own.items() if key not in ("segment", "value")]
    of_all = exp.select(*shared, "started", "ended").from_("best").where(exp.column(segment).eq(ALL), "tried > 0")
    when = exp.and_(*(exp.NullSafeEQ(this=exp.column(name, "b"), expression=exp.column(name, "a")) for name in shared))
    there = exp.and_(
        *(exp.NullSafeEQ(this=exp.column(name, "b"), expression=exp.column(name, "r")) for name in own),
        "r.started = a.started",
        exp.NullSafeEQ(this=exp.column("ended", "r"), expression=exp.column("ended", "a")),
    )
    found = {name: f"CASE WHEN b.tried > 0 THEN b.{name} END" for name in ("started", "ended", "g", "bin", "inside")}
    found |= {"outside": "CASE WHEN b.tried > 0 THEN b.outside END", "df": "b.df", "p": "b.p"}
    return (
        exp.select(*(exp.column(name, "b") for name in own), *named(found))
        .select(*named({"tried": "CAST(b.tried AS BIGINT)", "g_of_all": "r.g"}))
        .from_(exp.to_table("best").as_("b"))
        .join(of_all.subquery("a"), on=when, join_type="left")
        .join(exp.to_table("of_ranges").as_("r"), on=there, join_type="left")
    )
