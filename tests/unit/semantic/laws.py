"""What the laws of the SQL say of a statement, read off its tree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from sqlglot import exp
from sqlglot.optimizer.scope import Scope, traverse_scope

FACTS = {"orders", "refunds", "visits", "balances"}


def scans(tree: exp.Expr) -> dict[str, int]:
    """How often each table is read."""
    inner = {cte.alias for cte in tree.find_all(exp.CTE)}
    return dict(Counter(t.name for t in tree.find_all(exp.Table) if t.name not in inner))


def unused_columns(tree: exp.Expr) -> list[str]:
    """The columns of sub-queries that nothing reads, not even their own GROUP BY."""
    found = []
    for scope in traverse_scope(tree):
        for alias, source in scope.sources.items():
            if isinstance(source, Scope):
                read = {c.name for c in scope.columns if c.table == alias} | _grouped(source.expression)
                found += [f"{alias}.{name}" for name in source.expression.named_selects if name not in read]
    return found


def _grouped(query: exp.Expr) -> set[str]:
    group = query.args.get("group")
    numbers = [int(n.name) for n in group.expressions] if group is not None else []
    return {query.named_selects[n - 1] for n in numbers}


def unused_joins(tree: exp.Expr) -> list[str]:
    """The tables joined to keep all rows of which only the join itself reads a column."""
    found = []
    for join in tree.find_all(exp.Join):
        select, on = join.parent_select, join.args.get("on")
        own = {id(c) for c in on.find_all(exp.Column)} if on is not None else set()
        bracketed = isinstance(join.this, exp.Subquery) and isinstance(join.this.this, exp.Table)
        alias = (join.this.this if bracketed else join.this).alias_or_name
        if join.side and not any(c.table == alias and id(c) not in own for c in select.find_all(exp.Column)):
            found.append(alias)
    return found


def repeated_aggregates(tree: exp.Expr) -> list[str]:
    """The aggregates that one select works out more than once."""
    found = []
    for select in tree.find_all(exp.Select):
        own = (a for e in select.expressions for a in e.find_all(exp.AggFunc) if a.parent_select is select)
        whole = (a.parent if isinstance(a.parent, exp.Filter) else a for a in own)
        found += [aggregate for aggregate, count in Counter(a.sql() for a in whole).items() if count > 1]
    return found


def full_joins(tree: exp.Expr) -> int:
    """How many joins keep the rows of both sides."""
    return sum(join.side == "FULL" for join in tree.find_all(exp.Join))


def joined_row_by_row(tree: exp.Expr) -> list[str]:
    """The joined sub-queries that hold rows of a fact as they are: neither aggregated nor made distinct."""
    found = []
    for join in tree.find_all(exp.Join):
        inner = join.this.this
        if not isinstance(inner, exp.Select) or _table_of(inner) not in FACTS:
            continue
        if not (inner.args.get("group") or inner.args.get("distinct") or inner.find(exp.AggFunc)):
            found.append(join.alias_or_name)
    return found


def bounds(tree: exp.Expr, column: str, con: Any) -> Iterator[tuple[Any, Any]]:
    """For each scan of a column's table: the least and the greatest moment that its WHERE lets the bare column have.

    Args:
        tree: The statement.
        column: The table and the column, `orders.ordered_at`.
        con: A DuckDB connection, which works out the moments.
    """
    table, name = column.split(".")
    for select in tree.find_all(exp.Select, bfs=False):
        if _table_of(select) != table:
            continue
        least, most = [], []
        for test in _parts(select.args["where"].this if select.args.get("where") else exp.true()):
            if not isinstance(test, (exp.GT, exp.GTE, exp.LT, exp.LTE)) or not isinstance(test.left, exp.Column):
                continue
            if test.left.name == name and not test.right.find(exp.Column):
                (limit,) = con.execute(f"SELECT {test.right.sql('duckdb')}").fetchone()
                (least if isinstance(test, (exp.GT, exp.GTE)) else most).append(limit)
        yield max(least, default=None), min(most, default=None)


def _table_of(select: exp.Select) -> str | None:
    source = select.args["from_"].this if select.args.get("from_") else None
    return source.name if isinstance(source, exp.Table) else None


def _parts(test: exp.Expr) -> Iterator[exp.Expr]:
    bare = test.unnest()
    if isinstance(bare, exp.And):
        yield from _parts(bare.left)
        yield from _parts(bare.right)
    else:
        yield bare
