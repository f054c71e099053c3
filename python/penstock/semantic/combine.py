"""Pass: put the branches together and work out the metrics.

One branch is selected from as it is. Several meet by UNION ALL and one GROUP BY, in which NULL keys are equal; what a
branch doesn't have is NULL.
"""

from __future__ import annotations

from collections import Counter

from sqlglot import exp

from penstock.semantic.names import Item
from penstock.semantic.plan import Output
from penstock.semantic.stage import Stage, selected, subquery

_ALL = "combined"


def combined(stages: list[Stage], keys: tuple[Item, ...], outputs: tuple[Output, ...], names: dict[str, str]) -> exp.Select:
    """The select of keys and metrics.

    Args:
        stages: One for each branch.
        keys: The group-by items, in the order asked for.
        outputs: The metrics over leaf columns.
        names: The output name of each key by its column.
    """
    stage = stages[0] if len(stages) == 1 else _union(stages, keys)
    uses = Counter(c.name for o in outputs for c in o.value.find_all(exp.Column))
    if stage.grouped and any(count > 1 for count in uses.values()):
        stage = stage.within(_ALL)
    columns = {names[k.column]: stage.keys[k.column] for k in keys}
    columns |= {o.name: _over(stage, o.value) for o in outputs}
    return selected(stage.rows, columns, group_by=len(keys) if stage.grouped else 0)


def _over(stage: Stage, value: exp.Expr) -> exp.Expr:
    return value.copy().transform(
        lambda node: stage.values[node.name].copy() if isinstance(node, exp.Column) else node, copy=False
    )


def _union(stages: list[Stage], keys: tuple[Item, ...]) -> Stage:
    leaves = [column for stage in stages for column in stage.values]
    selects = []
    for stage in stages:
        missing: dict[str, exp.Expr] = {c: stage.values.get(c, exp.Null()) for c in leaves}
        # aliases are those of the first select, so that every select lists its columns in the same order
        ordered = {k.column: stage.keys[k.column] for k in keys} | missing
        selects.append(selected(stage.rows, ordered, group_by=len(keys) if stage.grouped else 0))
    union: exp.Query = selects[0]
    for select in selects[1:]:
        union = exp.union(union, select, distinct=False, copy=False)
    return Stage(
        rows=exp.Select().from_(subquery(union, "branches"), copy=False),
        keys={k.column: exp.column(k.column, "branches") for k in keys},
        values={c: exp.Max(this=exp.column(c, "branches")) for c in leaves},
        grouped=True,
    )
