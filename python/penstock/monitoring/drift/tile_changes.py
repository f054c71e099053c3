"""What a run adds to a table of tiles, so that all tiles of a bin together are those of the rows that there are now.

Delta's change data feed tells which rows came and which went since the version that the tiles are of. What they add is
appended, with the version up to which they are counted: one commit holds both, so that a run that breaks has added
nothing, and the next one goes on from where the last one ended. Where the feed does not tell, the difference of the
tiles of all rows and of those that are stored is appended instead.
"""

from __future__ import annotations

from sqlglot import exp, parse_one

from penstock.monitoring.drift.tiling import MOMENTS, Tiling, keys_of, tiles
from penstock.monitoring.words import column, formula

STATE = ("run", "source", "source_version")
"""The columns that say which run added a tile, from 1 on, of which table and how it was counted, and its version."""


def changed_rows(relation: str, first: int, last: int) -> exp.Select:
    """The rows that came and went in these versions of a Delta table, as `tiles` takes them with `sign`."""
    sign = "CASE WHEN _change_type IN ('delete', 'update_preimage') THEN -1 ELSE 1 END AS sign"
    feed = f"SELECT *, {sign} FROM TABLE_CHANGES({exp.Literal.string(relation).sql('spark')}, {first}, {last})"
    query = parse_one(feed, dialect="spark")
    assert isinstance(query, exp.Select)
    return query


def difference(relation: str | exp.Query, tiling: Tiling, stored: str) -> exp.Select:
    """What is to be added to stored tiles, so that they are those of all rows of a relation.

    Args:
        relation: A query, or the name of a table.
        tiling: Which tiles.
        stored: The table of tiles.
    """
    keys = [exp.column(name) for name in ("edges_id", *keys_of(tiling))]
    now = exp.select(*keys, *MOMENTS, exp.alias_(formula("1"), "sign"))
    now = now.from_(tiles(relation, tiling, "spark").subquery("counted_now"))
    held = exp.select(*keys, *MOMENTS, exp.alias_(formula("-1"), "sign")).from_(exp.to_table(stored, dialect="spark"))
    held = held.where(exp.column("edges_id").eq(tiling.edges_id))
    sums = {"n": "CAST(SUM(sign * n) AS BIGINT)", **{name: f"SUM(sign * {name})" for name in MOMENTS[1:]}}
    # Sums of doubles differ in their last digits from run to run. By Cauchy and Schwarz this is all that n rows of
    # these squares can add up to, times what each addition may be off.
    rest = "1e-10 * SQRT(SUM(ABS(n)) * SUM(ABS(squares)))"
    changed = f"SUM(sign * n) <> 0 OR ABS(SUM(sign * total)) > {rest}"
    changed += " OR ABS(SUM(sign * squares)) > 1e-10 * SUM(ABS(squares))"
    return (
        exp.select(*keys, *(exp.alias_(formula(text), name) for name, text in sums.items()))
        .from_(exp.union(now, held, distinct=False).subquery("both"))
        .group_by(*keys)
        .having(formula(changed))
    )


def added(query: exp.Select, run: int, source: str | None = None, version: int | None = None) -> exp.Select:
    """Tiles, and of which run they are and of which state of which table.

    Args:
        query: The tiles.
        run: The number of the run.
        source: Which Delta table, and how it is counted; None if it is none.
        version: Its version.
    """
    told = (
        exp.cast(exp.Literal.number(run), "bigint"),
        exp.cast(exp.null() if source is None else exp.Literal.string(source), "text"),
        exp.cast(exp.null() if version is None else exp.Literal.number(version), "bigint"),
    )
    named = [exp.alias_(value, name) for name, value in zip(STATE, told, strict=True)]
    return exp.select("*", *named).from_(query.subquery("tiles"))


def if_next(query: exp.Select, stored: str, edges_id: str, run: int) -> exp.Select:
    """The query, but empty where the last run that added to the stored tiles is not the one before."""
    last = exp.select(formula("COALESCE(MAX(run), 0)")).from_(exp.to_table(stored, dialect="spark"))
    last = last.where(exp.column("edges_id").eq(edges_id))
    return query.where(exp.EQ(this=last.subquery(), expression=exp.Literal.number(run - 1)))


def training_rows(sets: dict[int, tuple[str, int]], columns: tuple[str, ...]) -> exp.Query:
    """The rows that versions of a model were trained on, with the column `version`.

    Args:
        sets: Of each version the table of its training set, and the Delta version that it was trained on.
        columns: The columns that are wanted of them.
    """
    parts: list[exp.Query] = []
    for version, (table, state) in sets.items():
        pinned = parse_one(
            f"SELECT * FROM {exp.to_table(table, dialect='spark').sql('spark')} VERSION AS OF {state}", dialect="spark"
        )
        assert isinstance(pinned, exp.Select)
        told = exp.alias_(exp.cast(exp.Literal.number(version), "int"), "version")
        parts.append(exp.select(*map(column, columns), told).from_(pinned.subquery("pinned")))
    return parts[0] if len(parts) == 1 else exp.union(*parts, distinct=False)
