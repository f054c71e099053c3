"""Whether a table has the rows of a spine: none lost, none added, and one that occurs twice there twice."""

from __future__ import annotations

from collections.abc import Sequence

import sqlglot
from sqlglot import exp

from penstock.training_sets.sql import user_column

_NOT_GROUPED = ("map", "variant")


def differing_rows_of(relation: str, spine: str, columns: Sequence[tuple[str, str]]) -> str:
    """The rows, by their columns, that a table has more or less often than a spine has them, in Spark's SQL.

    Args:
        relation: The table.
        spine: A query.
        columns: The spine's columns that the table has too, each with its type as Spark writes it.

    Example:
        >>> print(differing_rows_of("t", "SELECT a FROM s", [("a", "int")]))
        SELECT
          `a`,
          SUM(_in_spine) AS rows_of_spine,
          SUM(1 - _in_spine) AS rows_of_table
        FROM (
          SELECT
            `a` AS `a`,
            1 AS _in_spine
          FROM (
            SELECT
              a
            FROM s
          ) AS _spine
          UNION ALL
          SELECT
            `a` AS `a`,
            0 AS _in_spine
          FROM t AS _table
        ) AS _both
        GROUP BY
          `a`
        HAVING
          SUM(_in_spine) <> SUM(1 - _in_spine)
    """
    names = [user_column(name) for name, _ in columns]
    values = [exp.alias_(_grouped(name, kind), exp.to_identifier(name, quoted=True)) for name, kind in columns]
    query = sqlglot.parse_one(spine, dialect="spark")
    assert isinstance(query, exp.Query)  # it is one of ours
    table = exp.to_table(relation, dialect="spark")
    table.set("alias", exp.TableAlias(this=exp.to_identifier("_table")))
    sides = [
        exp.Select()
        .select(*(v.copy() for v in values), exp.alias_(exp.Literal.number(side), "_in_spine"))
        .from_(source)
        for source, side in ((query.subquery("_spine"), 1), (table, 0))
    ]
    both = exp.union(sides[0], sides[1], distinct=False).subquery("_both")
    mark = exp.column("_in_spine")
    in_spine = exp.Sum(this=mark)
    in_table = exp.Sum(this=exp.Sub(this=exp.Literal.number(1), expression=mark.copy()))
    counted = exp.Select().select(*names, exp.alias_(in_spine, "rows_of_spine"), exp.alias_(in_table, "rows_of_table"))
    differing = counted.from_(both).having(exp.NEQ(this=in_spine.copy(), expression=in_table.copy()))
    return differing.group_by(*(name.copy() for name in names)).sql("spark", pretty=True)


def _grouped(name: str, kind: str) -> exp.Expr:
    column = user_column(name)
    if kind.lower().startswith(_NOT_GROUPED):
        return exp.Anonymous(this="TO_JSON", expressions=[column])
    return column
