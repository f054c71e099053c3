"""Pass: joins that a query which uses none of their columns does without.

Spark leaves out a LEFT JOIN when nothing of its right side is used and that side has one row for each key, which it
sees only where the side is grouped by the key. A view with a join for every dimension is so read with one scan where
only the fact's own columns are asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sqlglot import exp

from penstock.semantic.stage import subquery


def droppable_joins(select: exp.Select) -> exp.Select:
    """The select with each table that is joined by equal columns grouped by these; it is changed in place.

    The rows are the same where the columns are a key, as joins over entities take them to be.
    """
    joins = select.args.get("joins") or ()
    used: dict[str, dict[str, exp.Identifier]] = {source.alias_or_name: {} for source in (select.args["from_"], *joins)}
    for node in select.walk(prune=lambda n: isinstance(n, exp.Subquery)):
        if isinstance(node, exp.Column):
            if node.table not in used:
                return select  # a field of some table's column, which names no table
            used[node.table][node.name.lower()] = node.this
    for join in joins:
        keys = _keys(join)
        if keys and join.side == "LEFT" and isinstance(join.this, exp.Table):
            join.set("this", _one_row_a_key(join.this, keys, used[join.alias_or_name]))
    return select


def _one_row_a_key(table: exp.Table, keys: list[str], columns: Mapping[str, exp.Identifier]) -> exp.Expr:
    """The table with these columns, as a sub-query under its alias."""
    bare = table.copy()
    bare.set("alias", None)
    rest = (exp.column(c.copy()) for name, c in columns.items() if name not in keys)
    rows = exp.Select().from_(bare, copy=False).select(*(exp.column(columns[k].copy()) for k in keys), copy=False)
    rows = rows.select(*(exp.alias_(exp.AnyValue(this=c), c.this.copy()) for c in rest), copy=False)
    return subquery(rows.group_by(*(exp.column(columns[k].copy()) for k in keys), copy=False), table.alias)


def _keys(join: exp.Join) -> list[str]:
    """The joined table's columns that have to equal something of the rows before; none where other tests are made."""
    alias = join.alias_or_name
    found = []
    for test in _parts(join.args.get("on")):
        mine = [c for c in test.find_all(exp.Column) if c.table == alias]
        if not isinstance(test, exp.EQ) or len(mine) != 1 or mine[0] not in (test.left, test.right):
            return []
        found.append(mine[0].name.lower())
    return list(dict.fromkeys(found))


def _parts(on: exp.Expr | None) -> Iterator[exp.Expr]:
    if on is not None:
        yield from (part.unnest() for part in (on.flatten() if isinstance(on, exp.And) else (on,)))
