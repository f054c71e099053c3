"""Names of their own for the steps of a query, so that it can be put beside itself, or within itself.

Spark's SQL is written with all common table expressions at the top, where names have to differ.
"""

from __future__ import annotations

from typing import TypeVar

from sqlglot import exp

Q = TypeVar("Q", bound=exp.Expr)


def with_own_names(query: Q, suffix: str) -> Q:
    """The query with every common table expression under a name that ends in `suffix`; they differ from each other.

    Example:
        >>> with_own_names(exp.maybe_parse("WITH a AS (SELECT 1 AS x) SELECT a.x FROM a"), "_2").sql()
        'WITH a_2 AS (SELECT 1 AS x) SELECT a.x FROM a_2 AS a'
    """
    query = query.copy()
    taken: set[str] = set()
    # inner ones first: a name means the innermost step that is called so
    for steps in sorted(query.find_all(exp.With), key=_depth, reverse=True):
        for place, step in enumerate(steps.expressions):
            old, new = step.alias, f"{step.alias}{suffix}"
            while new.lower() in taken:
                new += "_"
            taken.add(new.lower())
            # a step does not see itself: `WITH t AS (SELECT * FROM t)` reads a table
            first = place if steps.args.get("recursive") else place + 1
            for user in [*steps.expressions[first:], *_beside(steps)]:
                for table in list(user.find_all(exp.Table)):
                    if not table.db and table.name.lower() == old.lower():
                        _point(table, old, new)
            step.args["alias"].set("this", exp.to_identifier(new, quoted=step.args["alias"].this.args.get("quoted")))
    return query


def _depth(node: exp.Expr) -> int:
    return node.depth


def _beside(steps: exp.With) -> list[exp.Expr]:
    """All parts of a query but its steps."""
    assert steps.parent is not None
    return [child for child in steps.parent.iter_expressions() if child is not steps]


def _point(table: exp.Table, old: str, new: str) -> None:
    if not table.alias:
        table.set("alias", exp.TableAlias(this=exp.to_identifier(old, quoted=table.this.args.get("quoted"))))
    table.set("this", exp.to_identifier(new, quoted=table.this.args.get("quoted")))
