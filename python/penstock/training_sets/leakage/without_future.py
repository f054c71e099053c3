"""A training set's SQL over inputs in which nothing after an instant is what it was.

Every relation is replaced on the tree by a sub-query over itself. What was known before the instant stays as it is, so
that the rows of the spine up to that instant have to stay as they are, too.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from sqlglot import exp

from penstock.semantic.context import relation_key
from penstock.training_sets.sql import type_of, user_column

if TYPE_CHECKING:
    from penstock.semantic.request import Dialect
    from penstock.training_sets.knowledge import Clock
    from penstock.training_sets.leakage.when_known import Known

Change = Literal["deleted", "altered"]
Columns = Mapping[str, str]  # type by name, in the order of the relation
Inputs = Mapping[tuple[str, ...], tuple["Known", Columns]]

_TIMES = (
    exp.DataType.Type.TIMESTAMP,
    exp.DataType.Type.TIMESTAMPTZ,
    exp.DataType.Type.TIMESTAMPLTZ,
    exp.DataType.Type.TIMESTAMPNTZ,
)


@dataclass(frozen=True)
class Cut:
    """What is done to the inputs.

    Args:
        at: Microseconds since 1970; what is known at that instant or after is changed.
        change: `deleted`: rows go, and what is not known of a row yet is NULL. `altered`: it has other values, and
            becomes known at that very instant, by which an answer that takes in its own instant betrays itself.
        inclusive: What is known at the very instant stays, too.
    """

    at: int
    change: Change
    inclusive: bool = False

    @property
    def first(self) -> int:
        """The first instant of which nothing may be seen."""
        return self.at + 1 if self.inclusive else self.at


def relations_read(tree: exp.Expr, spine: Sequence[str], dialect: Dialect) -> list[exp.Table]:
    """The relations that a query reads beside those of its spine, in their places in the tree.

    Args:
        tree: The query.
        spine: What its rows come from: names of common table expressions, aliases or relations.
        dialect: Its dialect.
    """
    inner = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
    keys = [relation_key(name) for name in spine]
    found = []
    for table in tree.find_all(exp.Table):
        if not table.name or (not table.db and table.name.lower() in inner):
            continue
        names = {(table.alias_or_name.lower(),), (table.name.lower(),), relation_key(table)}
        if not names & set(keys) and not is_within(table, keys):
            found.append(table)
    return found


def is_within(node: exp.Expr, spine: Collection[tuple[str, ...]]) -> bool:
    """Whether a part of a query lies within a step or sub-query of the spine, by the keys of its names."""
    parent: exp.Expr | None = node
    while parent is not None:
        if isinstance(parent, (exp.CTE, exp.Subquery)) and (parent.alias.lower(),) in spine:
            return True
        parent = parent.parent
    return False


def spine_apart(tree: exp.Expr, spine: Sequence[str]) -> exp.Expr:
    """The query with all that a spine's common table expression is made of copied into it.

    Others may read the same steps, which are to be changed for them and not for the spine.
    """
    tree = tree.copy()
    wanted = {name.lower() for name in spine}
    for cte in list(tree.find_all(exp.CTE)):
        if cte.alias.lower() not in wanted or not isinstance(cte.parent, exp.With):
            continue
        steps = cte.parent.expressions
        before = [s.copy() for s in steps[: steps.index(cte)]]
        own = cte.this.args.get("with_")
        if before:
            cte.this.set("with_", exp.With(expressions=[*before, *(own.expressions if own else [])]))
    return tree


def without_future(tree: exp.Expr, inputs: Inputs, cut: Cut, spine: Sequence[str], dialect: Dialect) -> exp.Expr:
    """The query over inputs that are changed from an instant on.

    Args:
        tree: The query, as `spine_apart` gives it.
        inputs: What is known when of the relations that it reads, and their columns; those without stay as they are.
        cut: The instant and the change.
        spine: What its rows come from, which stays as it is.
        dialect: Its dialect.
    """
    tree = tree.copy()
    for table in relations_read(tree, spine, dialect):
        found = inputs.get(relation_key(table))
        if found is None or found[0].timeless:
            continue
        known, columns = found
        alias = table.args.get("alias") or exp.TableAlias(this=exp.to_identifier(table.name, quoted=True))
        outer = {name: table.args.get(name) for name in ("joins", "laterals", "pivots", "sample")}
        source = table.copy()
        for name in ("alias", *outer):
            source.set(name, None)
        changed = exp.Subquery(this=_changed(source, known, columns, cut, dialect), alias=alias)
        for name, value in outer.items():
            if value:
                changed.set(name, value)
        table.replace(changed)
    return tree


def _changed(source: exp.Expr, known: Known, columns: Columns, cut: Cut, dialect: Dialect) -> exp.Select:
    select = exp.Select().from_(source, copy=False)
    row = None if known.there else _known(known.rows, cut, dialect)
    for name, kind in columns.items():
        value = _Column(name, kind, known, cut, dialect).value(row)
        select = select.select(exp.alias_(value, exp.to_identifier(name, quoted=True)), copy=False)
    return select.where(row.copy(), copy=False) if row is not None and cut.change == "deleted" else select


def _known(clocks: Sequence[Clock], cut: Cut, dialect: Dialect) -> exp.Expr:
    """Whether something is known before the cut by one of these clocks; a NULL is never."""
    first = exp.Literal.number(cut.first)
    tests = [exp.LT(this=clock.known_time(dialect), expression=first.copy()) for clock in clocks]
    return exp.paren(exp.or_(*tests, copy=False)) if tests else exp.false()


@dataclass(frozen=True)
class _Column:
    """One column of an input, as it is after the cut."""

    name: str
    type: str
    known: Known
    cut: Cut
    dialect: Dialect

    def value(self, row: exp.Expr | None) -> exp.Expr:
        """The column; `row` tells whether its row is known, None where all are."""
        own = user_column(self.name)
        name = self.name.lower()
        if name in self.known.kept:
            return own
        if name in self._events():
            return own if row is None or self.cut.change == "deleted" else self._moved_event(own, row)
        if name in self._known_ats():
            return self._moved_known_at(own)
        if name in self._parts_of_times():
            return own
        known = _known(self.known.of_column(name), self.cut, self.dialect)
        other = exp.Null() if self.cut.change == "deleted" else self._other(own)
        return exp.Case(ifs=[exp.If(this=known, true=own)], default=other)

    def _events(self) -> dict[str, list[Clock]]:
        found: dict[str, list[Clock]] = {}
        for clock in self.known.rows:
            if isinstance(clock.event, exp.Column):
                found.setdefault(clock.event.name.lower(), []).append(clock)
        return found

    def _known_ats(self) -> dict[str, Clock]:
        return {c.known_at.name.lower(): c for c in self.known.rows if isinstance(c.known_at, exp.Column)}

    def _parts_of_times(self) -> set[str]:
        """Columns of times that are expressions: they stay, for what others would make of those can't be said."""
        trees = [t for c in self.known.rows for t in (c.event, c.known_at) if t is not None]
        return {column.name.lower() for tree in trees for column in tree.find_all(exp.Column)}

    def _moved_event(self, own: exp.Expr, row: exp.Expr) -> exp.Expr:
        """The event of a row that is not known: early enough to have happened at the cut, and to be known no sooner."""
        if self._type().this not in _TIMES:
            return own
        clocks = self._events()[self.name.lower()]
        delays = [c.delay for c in clocks if c.known_at is None or c.known_at == c.event]
        instant = self.cut.first - min(delays, default=0)
        later = exp.GT(this=clocks[0].event_time(self.dialect), expression=exp.Literal.number(instant))
        unknown = exp.Not(this=exp.Coalesce(this=row.copy(), expressions=[exp.false()]))
        return exp.Case(ifs=[exp.If(this=exp.and_(unknown, later, copy=False), true=self._time(instant))], default=own)

    def _moved_known_at(self, own: exp.Expr) -> exp.Expr:
        """When something becomes known, if that is not known yet."""
        clock = self._known_ats()[self.name.lower()]
        later = exp.GTE(this=clock.known_time(self.dialect), expression=exp.Literal.number(self.cut.first))
        if self.cut.change == "deleted":
            then: exp.Expr = exp.Null()
        elif self._type().this in _TIMES:
            then = self._time(self.cut.first)
        else:
            return own  # a date can't say the instant
        return exp.Case(ifs=[exp.If(this=later, true=then)], default=own)

    def _time(self, microseconds: int) -> exp.Expr:
        time = exp.UnixToTime(this=exp.Literal.number(microseconds), scale=exp.UnixToTime.MICROS.copy())
        return exp.Cast(this=time, to=self._type())

    def _type(self) -> exp.DataType:
        return type_of(self.type, self.dialect)

    def _other(self, own: exp.Expr) -> exp.Expr:
        """Another value of the same type, and never the same one."""
        kind, one = self._type().this, exp.Literal.number(1)
        if kind in exp.DataType.INTEGER_TYPES:
            return self._as_before(
                exp.Coalesce(this=exp.Sub(this=one, expression=own.copy()), expressions=[one.copy()])
            )
        if kind in exp.DataType.NUMERIC_TYPES:
            some = exp.Nullif(this=own.copy(), expression=exp.Literal.number(0))
            return self._as_before(exp.Coalesce(this=exp.Neg(this=some), expressions=[one]))
        if kind in exp.DataType.TEXT_TYPES:
            text = exp.Coalesce(this=own.copy(), expressions=[exp.Literal.string("")])
            return exp.Concat(expressions=[text, exp.Literal.string("0")])
        if kind == exp.DataType.Type.BOOLEAN:
            return exp.Coalesce(this=exp.Not(this=own.copy()), expressions=[exp.true()])
        if kind in _TIMES or kind == exp.DataType.Type.DATE:
            # later, so that what waits for this moment waits on
            day = exp.Interval(this=exp.Literal.string("1"), unit=exp.var("DAY"))
            return self._as_before(exp.Add(this=own.copy(), expression=day))
        return exp.Null()

    def _as_before(self, value: exp.Expr) -> exp.Expr:
        """The value in the column's type, NULL where that can't hold it."""
        return exp.TryCast(this=value, to=self._type())
