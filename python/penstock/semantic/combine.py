"""Pass: put the branches together and work out the metrics.

One branch is selected from as it is. Several meet by UNION ALL and one GROUP BY, in which NULL keys are equal; what a
branch doesn't have is NULL. Many branches meet by name where the engine can do that, and few by few where it can't, so
that the SQL does not grow with their square.
"""

from __future__ import annotations

from collections import Counter

from sqlglot import exp

from penstock.semantic.expressions import any_of, found_parts, when
from penstock.semantic.names import Item
from penstock.semantic.plan import Output
from penstock.semantic.request import Dialect
from penstock.semantic.stage import Stage, selected, subquery

_ALL = "combined"
_MOST_IN_A_UNION = 6


def combined(
    stages: list[Stage],
    keys: tuple[Item, ...],
    outputs: tuple[Output, ...],
    names: dict[str, str],
    dialect: Dialect,
) -> exp.Select:
    """The select of keys and metrics.

    Args:
        stages: One for each branch.
        keys: The group-by items, in the order asked for.
        outputs: The metrics over leaf columns.
        names: The output name of each key by its column.
        dialect: Many branches are put together in the engine's own way.
    """
    asked = _asked_whether_found(outputs) if keys else set()
    stage = _whole(stages[0], asked) if len(stages) == 1 else _union(stages, keys, asked, dialect)
    uses = Counter(c.name for o in outputs for c in o.value.find_all(exp.Column))
    if stage.grouped and any(count > 1 for count in uses.values()):
        stage = stage.within(_ALL)
    columns = {names[k.column]: stage.keys[k.column] for k in keys}
    columns |= {o.name: _over(stage, o.value) for o in outputs}
    return selected(stage.rows, columns, group_by=len(keys) if stage.grouped else 0)


def _asked_whether_found(outputs: tuple[Output, ...]) -> set[str]:
    return {
        column
        for output in outputs
        for node in output.value.find_all(exp.Anonymous)
        for column in (found_parts(node) or (None, ()))[1]
    }


def _mark(leaf: str) -> str:
    return f"{leaf}__found"


def _whole(stage: Stage, asked: set[str]) -> Stage:
    """The stage with a value for each leaf that is asked for, 1 where it has a row."""
    stage.values |= {_mark(leaf): test for leaf, test in stage.found.items() if leaf in asked}
    return stage


def _over(stage: Stage, value: exp.Expr) -> exp.Expr:
    """A metric over the stage's columns."""
    value = value.copy()
    parts = found_parts(value)
    if parts is not None:
        inner, leaves = parts
        marks = [stage.values.get(_mark(leaf)) for leaf in leaves]
        result = _over(stage, inner)
        if not marks or any(m is None for m in marks):
            return result  # one of them always has a row
        test = any_of(exp.EQ(this=m.copy(), expression=exp.Literal.number(1)) for m in marks if m is not None)
        return when(test, result)
    if isinstance(value, exp.Column):
        return stage.values[value.name].copy()

    def inner_of(node: exp.Expr) -> exp.Expr:
        return _over(stage, node) if isinstance(node, exp.Column) or found_parts(node) is not None else node

    return value.transform(inner_of, copy=False)


def _union(stages: list[Stage], keys: tuple[Item, ...], asked: set[str], dialect: Dialect) -> Stage:
    for stage in stages:
        found = {_mark(leaf): stage.found.get(leaf, exp.Literal.number(1)) for leaf in stage.values if leaf in asked}
        stage.values |= found
    if dialect == "duckdb" and len(stages) > _MOST_IN_A_UNION:
        stage = _by_name(stages, keys)
    else:
        while len(stages) > _MOST_IN_A_UNION:
            # every select lists the columns of all: of many branches, that would be most of the SQL
            starts = range(0, len(stages), _MOST_IN_A_UNION)
            stages = [_side_by_side(stages[i : i + _MOST_IN_A_UNION], keys) for i in starts]
        stage = _side_by_side(stages, keys)
    stage.values = {name: exp.Max(this=value) for name, value in stage.values.items()}
    stage.grouped = True
    return stage


def _by_name(stages: list[Stage], keys: tuple[Item, ...]) -> Stage:
    """The rows of all stages; what one lacks is left to the engine, which makes it NULL."""
    return _stacked([stage.select() for stage in stages], keys, [c for s in stages for c in s.values], by_name=True)


def _side_by_side(stages: list[Stage], keys: tuple[Item, ...]) -> Stage:
    """The rows of all stages, each with NULL for the others' values."""
    columns = [column for stage in stages for column in stage.values]
    selects = []
    for stage in stages:
        # the names are those of the first select, so that every select lists its columns in the same order
        ordered = {k.column: stage.keys[k.column] for k in keys}
        ordered |= {c: stage.values.get(c, exp.Null()) for c in columns}
        selects.append(selected(stage.rows, ordered, group_by=len(keys) if stage.grouped else 0))
    return _stacked(selects, keys, columns, by_name=False)


def _stacked(selects: list[exp.Select], keys: tuple[Item, ...], columns: list[str], *, by_name: bool) -> Stage:
    union: exp.Query = selects[0]
    for select in selects[1:]:
        union = exp.Union(this=union, expression=select, distinct=False, by_name=by_name)
    return Stage(
        rows=exp.Select().from_(subquery(union, "branches"), copy=False),
        keys={k.column: exp.column(k.column, "branches") for k in keys},
        values={c: exp.column(c, "branches") for c in columns},
        grouped=False,
    )
