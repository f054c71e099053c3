"""Joins that give a row what became known at any time, found in the text of a query.

Sources are *timed* while their rows become known at times of their own. A comparison with another source's column, in a
join or a filter, makes of them rows as of that source's times; joined without one, they bring the future in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.scope import Scope, traverse_scope

from penstock.semantic.context import relation_key
from penstock.training_sets.leakage.without_future import is_within

if TYPE_CHECKING:
    from penstock.semantic.request import Dialect
    from penstock.training_sets.leakage.when_known import Known

_ORDERED = (exp.LT, exp.LTE, exp.GT, exp.GTE, exp.Between)


@dataclass(frozen=True)
class UnboundJoin:
    """A join without a condition on time: where it is, what is wrong with it, and what to write instead."""

    node: exp.Expr
    what: str
    fix: str


@dataclass(frozen=True)
class _Source:
    """What is known of a table in a FROM.

    Args:
        timed: Its rows become known at times of their own.
        spine: It is what the rows of the set come from.
        times: Its columns that are times of its rows, in lower case.
        whole: It has been aggregated over all times.
        names: The timed relations in it.
    """

    timed: bool = False
    spine: bool = False
    times: frozenset[str] = frozenset()
    whole: bool = False
    names: tuple[str, ...] = ()


@dataclass
class _Walk:
    known: Mapping[tuple[str, ...], Known]
    spine: Sequence[tuple[str, ...]]
    dialect: Dialect
    done: dict[int, _Source] = field(default_factory=dict)


def unbound_joins(
    tree: exp.Expr, known: Mapping[tuple[str, ...], Known], spine: Sequence[str], dialect: Dialect
) -> Iterator[UnboundJoin]:
    """The joins of a query, and its sub-queries, that bring what became known at any time to a row.

    Args:
        tree: The query.
        known: What is known when, by relation.
        spine: What its rows come from: names of common table expressions, aliases or relations.
        dialect: Its dialect.
    """
    walk = _Walk(known, [relation_key(name) for name in spine], dialect)
    try:
        scopes = traverse_scope(tree)
    except SqlglotError:
        return
    for scope in scopes:
        source, found = _judged(scope, walk)
        walk.done[id(scope)] = source
        if not is_within(scope.expression, walk.spine):
            yield from found


def _judged(scope: Scope, walk: _Walk) -> tuple[_Source, list[UnboundJoin]]:
    """What a query is as a source for others, and the joins in it that are not bound in time."""
    if scope.set_operation_scopes:
        sides = [walk.done.get(id(side), _Source()) for side in scope.set_operation_scopes]
        return _united(sides), []
    select = scope.expression
    if not isinstance(select, exp.Select):
        return _Source(), []
    sources = {name.lower(): _source(name, node, of, walk) for name, (node, of) in scope.selected_sources.items()}
    for name in scope.semi_or_anti_join_tables:
        sources[name.lower()] = _source(name, exp.to_table(name), scope.sources.get(name), walk)
    timed = {name: s for name, s in sources.items() if s.timed}
    tests = _conditions(select)
    outside = {id(c) for c in scope.columns if c.table and c.table.lower() not in sources}
    bound = {name for name, s in timed.items() if any(_binds(t, name, s, len(sources), outside) for t in tests)}
    found: list[UnboundJoin] = []
    joined = {j.alias_or_name.lower(): j for j in select.args.get("joins") or ()}
    for name, source in timed.items():
        base = name not in joined
        beside_spine = any(s.spine for other, s in sources.items() if other != name)
        alone = base and not beside_spine and not (scope.is_subquery or outside)
        if name not in bound and not alone:
            found.append(_told(joined.get(name, select), source))
    if not timed or bound or found:
        return _Source(spine=any(s.spine for s in sources.values())), found
    grouped = bool(select.args.get("group")) or any(
        e.find(exp.AggFunc) and not e.find(exp.Window) for e in select.expressions
    )
    names = tuple(dict.fromkeys(n for s in timed.values() for n in s.names))
    times = _times(select, timed)
    whole = any(s.whole for s in timed.values()) or (grouped and not times)
    return _Source(timed=True, times=times, whole=whole, names=names), found


def _source(name: str, node: exp.Expr, of: object, walk: _Walk) -> _Source:
    if (name.lower(),) in walk.spine:
        return _Source(spine=True)
    if isinstance(of, Scope):
        if isinstance(node, exp.Table) and (node.name.lower(),) in walk.spine:
            return _Source(spine=True)
        return walk.done.get(id(of), _Source())
    if not isinstance(of, exp.Table):
        return _Source()
    key = relation_key(of)
    if key in walk.spine or (key[-1],) in walk.spine:
        return _Source(spine=True)
    known = walk.known.get(key)
    if known is None or known.timeless or not known.rows:
        return _Source()
    trees = [t for c in known.rows for t in (c.event, c.known_at) if t is not None]
    times = {column.name.lower() for tree in trees for column in tree.find_all(exp.Column)} | set(known.ends)
    return _Source(timed=True, times=frozenset(times), names=(of.name,))


def _united(sides: Sequence[_Source]) -> _Source:
    """Rows of a spine among events are a timeline, over which windows go up to each row."""
    if not sides or not all(side.timed for side in sides):
        return _Source(spine=any(side.spine for side in sides))
    names = tuple(dict.fromkeys(n for s in sides for n in s.names))
    times = frozenset.intersection(*(s.times for s in sides))
    return _Source(timed=True, times=times, whole=any(s.whole for s in sides), names=names)


def _conditions(select: exp.Select) -> list[exp.Expr]:
    """All conditions of a select on its sources, each by itself."""
    found: list[exp.Expr] = []
    for join in select.args.get("joins") or ():
        if join.args.get("on") is not None:
            found.append(join.args["on"])
        found += [exp.EQ(this=exp.column(c.name), expression=exp.column(c.name)) for c in join.args.get("using") or ()]
    found += [select.args[part].this for part in ("where", "qualify", "having") if select.args.get(part) is not None]
    tests: list[exp.Expr] = []
    for condition in found:
        tests += [n for n in condition.walk() if isinstance(n, (*_ORDERED, exp.EQ, exp.In, exp.NullSafeEQ))]
    # what an aggregate takes in may depend on a condition as well
    for value in select.expressions:
        for aggregate in value.find_all(exp.AggFunc):
            tests += list(aggregate.find_all(*_ORDERED))
        tests += [n for f in value.find_all(exp.Filter) for n in f.expression.find_all(*_ORDERED)]
    return tests


def _binds(test: exp.Expr, name: str, source: _Source, count: int, outside: Set[int]) -> bool:
    """Whether a comparison ties the rows of a source to what another one says, or to a time at which it says so."""
    own = others = on_time = False
    for column in test.find_all(exp.Column):
        is_time = column.name.lower() in source.times
        if column.table.lower() == name or (not column.table and (is_time or count == 1)):
            own, on_time = True, on_time or is_time
        elif column.table or count > 1:
            others = True
        if id(column) in outside or (not column.table and _shared(test)):
            others = True
    return own and others and (isinstance(test, _ORDERED) or on_time)


def _shared(test: exp.Expr) -> bool:
    """Whether a test stands for a column in USING."""
    return isinstance(test, exp.EQ) and test.this == test.expression


def _times(select: exp.Select, timed: Mapping[str, _Source]) -> frozenset[str]:
    """The columns of a select's answer that are times of its rows, or made of them."""
    times = {t for s in timed.values() for t in s.times}
    found: set[str] = set()
    for value in select.expressions:
        if value.is_star:
            found |= times
        elif any(c.name.lower() in times for c in value.find_all(exp.Column)) and not _is_aggregate(value):
            found.add(value.alias_or_name.lower())
    return frozenset(found)


def _is_aggregate(value: exp.Expr) -> bool:
    inner = value.unalias()
    return inner.find(exp.AggFunc) is not None and inner.find(exp.Window) is None


def _told(node: exp.Expr, source: _Source) -> UnboundJoin:
    names = ", ".join(source.names)
    if source.whole:
        what = f"it takes in all rows of {names} of a key, whenever they became known"
        fix = "join the rows on their known time before the row's, and aggregate then"
    else:
        what = f"it gives a row of the past what {names} says today, or at any time"
        fix = "compare when its rows are known, or valid, with the time of the row"
    return UnboundJoin(node, what, f"{fix}; or have it done by penstock.training_set")
