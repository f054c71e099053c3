"""Pass: put the branches together and work out the metrics.

One branch is selected from as it is. Several meet by UNION ALL and one GROUP BY, in which NULL keys are equal; what a
branch doesn't have is NULL. Many branches meet by name where the engine can do that, and few by few where it can't, so
that the SQL does not grow with their square.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from sqlglot import exp

from penstock.semantic.expressions import all_of, any_of, found_parts, when
from penstock.semantic.plan import Output, asked_whether_found
from penstock.semantic.request import Dialect
from penstock.semantic.stage import Stage, subquery

_ALL = "combined"
_MOST_IN_A_UNION = 6


def combined(
    stages: list[Stage],
    keys: Mapping[str, str],
    outputs: tuple[Output, ...],
    dialect: Dialect,
    totals: Sequence[tuple[Collection[str], exp.Select]] = (),
) -> exp.Select:
    """The select of keys and metrics.

    Args:
        stages: One for each branch.
        keys: The output name of each key by its column, in the order asked for.
        outputs: The metrics over leaf columns.
        dialect: Many branches are put together in the engine's own way.
        totals: The columns of some of the keys, and a select by them, whose other columns the outputs may use too.
    """
    asked = asked_whether_found(outputs) if keys else frozenset()
    stage = _whole(stages[0], asked) if len(stages) == 1 else _union(stages, keys, asked, dialect)
    uses = Counter(c.name for o in outputs for c in o.value.find_all(exp.Column))
    if totals or (stage.grouped and any(count > 1 for count in uses.values())):
        stage = stage.within(_ALL)
    for number, (shared, select) in enumerate(totals, start=1):
        _put_beside(stage, shared, select, f"total_{number}" if len(totals) > 1 else "total")
    columns = {name: stage.keys[column] for column, name in keys.items()}
    columns |= {o.name: _over(stage, o.value) for o in outputs}
    return stage.columns(columns)


def _put_beside(stage: Stage, shared: Collection[str], select: exp.Select, alias: str) -> None:
    """Add to each row the columns of the one row of `select` that has the same keys; a NULL key is like another."""
    columns = [name for name in select.named_selects if name not in shared]
    on = all_of(exp.NullSafeEQ(this=stage.keys[k].copy(), expression=exp.column(k, alias)) for k in shared)
    stage.rows = stage.rows.join(subquery(select, alias), on=on, join_type="LEFT" if shared else "CROSS", copy=False)
    stage.values |= {name: exp.column(name, alias) for name in columns}


def worked_out(stage: Stage, outputs: tuple[Output, ...]) -> dict[str, exp.Expr]:
    """Each metric as one expression over the rows of a stage, the aggregates of its leaves within it."""
    return {o.name: _over(stage, o.value) for o in outputs}


def _mark(leaf: str) -> str:
    return f"{leaf}__found"


def _whole(stage: Stage, asked: frozenset[str]) -> Stage:
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


def _union(stages: list[Stage], keys: Collection[str], asked: frozenset[str], dialect: Dialect) -> Stage:
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


def _by_name(stages: list[Stage], keys: Collection[str]) -> Stage:
    """The rows of all stages; what one lacks is left to the engine, which makes it NULL."""
    return _stacked([stage.select() for stage in stages], keys, [c for s in stages for c in s.values], by_name=True)


def _side_by_side(stages: list[Stage], keys: Collection[str]) -> Stage:
    """The rows of all stages, each with NULL for the others' values."""
    columns = list(dict.fromkeys(column for stage in stages for column in stage.values))
    selects = []
    for stage in stages:
        # the names are those of the first select, so that every select lists its columns in the same order
        ordered = {k: stage.keys[k] for k in keys} | {c: stage.values.get(c, exp.Null()) for c in columns}
        selects.append(stage.columns(ordered))
    return _stacked(selects, keys, columns, by_name=False)


def _stacked(selects: list[exp.Select], keys: Collection[str], columns: list[str], *, by_name: bool) -> Stage:
    union: exp.Query = selects[0]
    for select in selects[1:]:
        union = exp.Union(this=union, expression=select, distinct=False, by_name=by_name)
    return Stage(
        rows=exp.Select().from_(subquery(union, "branches"), copy=False),
        keys={k: exp.column(k, "branches") for k in keys},
        values={c: exp.column(c, "branches") for c in columns},
        grouped=False,
    )
