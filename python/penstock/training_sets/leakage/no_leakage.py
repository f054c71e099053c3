"""The test that a training set does not know the future: its SQL is run without it, and no row may change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from penstock.errors import InvalidDefinitionError, InvalidRequestError, UnknownNameError
from penstock.semantic.context import relation_key
from penstock.semantic.render import render
from penstock.semantic.stage import subquery
from penstock.training_sets.leakage.own_names import with_own_names
from penstock.training_sets.leakage.when_known import Known, known_relations
from penstock.training_sets.leakage.without_future import (
    Change,
    Columns,
    Cut,
    relations_read,
    spine_apart,
    without_future,
)
from penstock.training_sets.sql import (
    column,
    kinds,
    known_dialect,
    microseconds,
    not_null,
    type_of,
    user_column,
)

if TYPE_CHECKING:
    from penstock.manifest.model import SemanticManifest
    from penstock.semantic.request import Dialect

_CHANGES: tuple[Change, ...] = ("deleted", "altered")
_DOUBLES = (exp.DataType.Type.FLOAT, exp.DataType.Type.DOUBLE)
_NESTED = exp.DataType.NESTED_TYPES | {exp.DataType.Type.VARIANT, exp.DataType.Type.BINARY, exp.DataType.Type.UNKNOWN}
_RELATIVE = "1E-9"


@dataclass(frozen=True)
class LeakageTest:
    """A training set's SQL and what it is to be tested by.

    Args:
        manifest: The project's definitions, which say when rows are known.
        sql: The SQL of the set, one query.
        at: The column of the set with the time of each row.
        key: Columns of the set that tell its rows apart.
        spine: What its rows come from, left as it is: names of common table expressions, aliases or relations.
        inclusive: What is known at the very time of a row may count.
        dialect: `spark` or `duckdb`.
    """

    manifest: SemanticManifest
    sql: str
    at: str
    key: tuple[str, ...]
    spine: tuple[str, ...] = ()
    inclusive: bool = False
    dialect: str = "spark"

    def inputs(self) -> tuple[str, ...]:
        """The relations that are changed, as the SQL names them; their columns have to be known to make the test.

        Raises:
            InvalidRequestError: The SQL is no query, or nothing of it would be changed.
            InvalidDefinitionError: It reads a relation of which nobody says when its rows are known.
            UnknownNameError: The spine is not in it.
        """
        tree, known = self._tree(), known_relations(self.manifest, self._dialect())
        read = relations_read(tree, self.spine, self._dialect())
        self._check_spine(tree)
        silent = {_name(t, self._dialect()) for t in read if not _declared(known, t, self._dialect())}
        if silent:
            raise InvalidDefinitionError(
                f"it is not declared when rows of {', '.join(sorted(silent))} are known, so that what came later can't "
                "be taken away",
                where="penstock.no_leakage",
                fix="declare known_at or delay in a semantic model over it (known_at: always for timeless data), "
                "or name it as the spine if the rows of the set come from it",
            )
        changed = [t for t in read if not known[relation_key(t)].timeless]
        if not changed and self.spine and any(_grows(known, t, self._dialect()) for t in tree.find_all(exp.Table)):
            raise InvalidRequestError(
                "all that the set reads belongs to its spine, so that nothing is left to test",
                where=f"penstock.no_leakage, spine {', '.join(self.spine)}",
                fix="name only the common table expression that makes the rows, not the relation under all of it",
            )
        return tuple(dict.fromkeys(_name(t, self._dialect()) for t in changed))

    def cut_times(self, relation: str, cuts: int) -> str:
        """SQL for the instants to cut at: times of rows of the built set, always the same ones, in microseconds."""
        dialect = self._dialect()
        at = microseconds(user_column(self.at), dialect)
        times = exp.Select().from_(exp.to_table(relation, dialect=dialect)).distinct(copy=False)
        times = times.select(exp.alias_(at, "cut"), copy=False).where(not_null(user_column(self.at)), copy=False)
        text = exp.MD5(this=exp.cast(column("cut"), exp.DataType.Type.TEXT))
        chosen = exp.Select().from_(subquery(times, "times"), copy=False).select(column("cut"), copy=False)
        return render(chosen.order_by(text, column("cut"), copy=False).limit(cuts, copy=False), dialect)

    def statement(self, columns: Columns, inputs: Mapping[str, Columns], cuts: Sequence[int]) -> str:
        """The test: its rows are the values that change when the future does.

        Args:
            columns: The types of the set's columns, in their order.
            inputs: For each of `inputs()`, the types of its columns, in their order.
            cuts: Instants in microseconds; at each, what is known then or later is deleted, and altered.

        Raises:
            UnknownNameError: The set lacks `at` or a column of the key.
        """
        dialect = self._dialect()
        names = {name.lower(): name for name in columns}
        for name in (self.at, *self.key):
            if name.lower() not in names:
                raise UnknownNameError.of("column", name, columns, where="penstock.no_leakage, the training set")
        tree, known = self._tree(), known_relations(self.manifest, dialect)
        given = {relation_key(name): types for name, types in inputs.items()}
        changed = {key: (known[key], types) for key, types in given.items()}
        all_cuts = [Cut(at, change, self.inclusive) for at in cuts for change in _CHANGES]
        if not all_cuts:  # a set without rows knows nothing
            return render(exp.Select().select(exp.alias_(exp.Null(), "cut")).where(exp.false()), dialect)
        runs = [tree, *(without_future(tree, changed, cut, self.spine, dialect) for cut in all_cuts)]
        runs = [with_own_names(run, f"__{number}") for number, run in enumerate(runs)]
        at, key = names[self.at.lower()], [names[k.lower()] for k in self.key]
        return render(_Comparison(columns, key, at, all_cuts, dialect).of(runs), dialect)

    def _dialect(self) -> Dialect:
        return known_dialect(self.dialect)

    def _tree(self) -> exp.Expr:
        return spine_apart(parsed_query(self.sql, self._dialect()), self.spine)

    def _check_spine(self, tree: exp.Expr) -> None:
        there = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
        there |= {s.alias.lower() for s in tree.find_all(exp.Subquery) if s.alias}
        tables = [t for t in tree.find_all(exp.Table) if t.name]
        relations = {relation_key(t) for t in tables}
        there |= {name.lower() for t in tables for name in (t.alias_or_name, t.name)}
        for name in self.spine:
            if name.lower() not in there and relation_key(name) not in relations:
                raise UnknownNameError.of("spine", name, there, where="penstock.no_leakage, the SQL of the set")


def parsed_query(sql: str, dialect: Dialect) -> exp.Query:
    """One query as a tree.

    Raises:
        InvalidRequestError: It is none.
    """
    try:
        statements = sqlglot.parse(sql, read=dialect)
    except SqlglotError as bad:
        detail = str(bad).splitlines()[0]
        raise InvalidRequestError(f"the SQL of the set can't be read: {detail}", where="its compiled SQL") from bad
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        raise InvalidRequestError("the SQL of the set is not one query", where="its compiled SQL")
    return statements[0]


def _declared(known: Mapping[tuple[str, ...], Known], table: exp.Table, dialect: Dialect) -> bool:
    found = known.get(relation_key(table))
    return found is not None and found.is_declared()


def _grows(known: Mapping[tuple[str, ...], Known], table: exp.Table, dialect: Dialect) -> bool:
    """Whether more of a relation becomes known with time."""
    return _declared(known, table, dialect) and not known[relation_key(table)].timeless


def _name(table: exp.Table, dialect: Dialect) -> str:
    bare = exp.Table(**{part: table.args.get(part) for part in ("this", "db", "catalog") if table.args.get(part)})
    return bare.sql(dialect=dialect)


@dataclass(frozen=True)
class _Comparison:
    """Rows of several runs of one query side by side: the first is what it gives, the others what it gives then."""

    columns: Columns
    key: Sequence[str]
    at: str
    cuts: Sequence[Cut]
    dialect: Dialect

    def of(self, runs: Sequence[exp.Expr]) -> exp.Select:
        """The values that differ."""
        rows: exp.Query = self._run(runs[0], 0)
        for number, run in enumerate(runs[1:], start=1):
            rows = exp.union(rows, self._run(run, number), distinct=False, copy=False)
        answer = self._values()
        for name, step in (("_rows", rows), ("_numbered", self._numbered()), ("_pairs", self._pairs())):
            answer = answer.with_(name, step, copy=False)
        return answer.with_("_compared", self._compared(), copy=False)

    def _run(self, run: exp.Expr, number: int) -> exp.Select:
        assert isinstance(run, exp.Query)
        table = subquery(run, "_set")
        row = exp.Struct(
            expressions=[
                exp.PropertyEQ(this=exp.to_identifier(f"_{i}"), expression=user_column(name, "_set"))
                for i, name in enumerate(self.columns)
            ]
        )
        select = exp.Select().from_(table, copy=False)
        return select.select(
            exp.alias_(exp.Literal.number(number), "_run"),
            exp.alias_(microseconds(user_column(self.at, "_set"), self.dialect), "_at"),
            *(exp.alias_(user_column(name, "_set"), f"_key_{i}") for i, name in enumerate(self.key)),
            exp.alias_(row, "_row"),
            copy=False,
        )

    def _keys(self) -> list[exp.Column]:
        return [column(f"_key_{i}") for i in range(len(self.key))]

    def _numbered(self) -> exp.Select:
        """Rows of one key get numbers, so that a row that occurs twice is compared twice."""
        order = [
            exp.Ordered(this=column(f"_{i}", "_row"), nulls_first=True)
            for i, text in enumerate(self.columns.values())
            if type_of(text, self.dialect).this not in _NESTED
        ]
        number = exp.Window(
            this=exp.RowNumber(), partition_by=[column("_run"), *self._keys()], order=exp.Order(expressions=order)
        )
        select = exp.Select().from_("_rows").select(column("_run"), column("_at"), *self._keys(), column("_row"))
        return select.select(exp.alias_(number, "_number"), copy=False)

    def _pairs(self) -> exp.Select:
        """One line a row, with what it is in each run; NULL where it is not there."""
        select = exp.Select().from_("_numbered").select(*self._keys(), copy=False)
        select = select.select(exp.alias_(exp.Max(this=column("_at")), "_at"), copy=False)
        for number in range(len(self.cuts) + 1):
            own = exp.EQ(this=column("_run"), expression=exp.Literal.number(number))
            mark = exp.Case(ifs=[exp.If(this=own, true=exp.Literal.number(1))])
            row = exp.ArgMax(this=column("_row"), expression=mark)
            select = select.select(exp.alias_(row, f"_run_{number}"), copy=False)
        return select.group_by(*self._keys(), column("_number"), copy=False)

    def _compared(self) -> exp.Select:
        """For each cut the rows up to it that are not what they were."""
        select = exp.Select().from_("_pairs").select(*self._keys(), column("_at"), copy=False)
        select.append("joins", kinds(len(self.cuts)))
        at = exp.Case(this=column("_kind"), ifs=[_nth(i, exp.Literal.number(c.at)) for i, c in enumerate(self.cuts)])
        after = exp.Case(this=column("_kind"), ifs=[_nth(i, column(f"_run_{i + 1}")) for i in range(len(self.cuts))])
        select = select.select(column("_kind"), exp.alias_(column("_run_0"), "_before"), copy=False)
        select = select.select(exp.alias_(after, "_after"), exp.alias_(at, "_cut"), copy=False)
        compared = exp.Select().from_(subquery(select, "_sides"), copy=False)
        compared = compared.select(*self._keys(), column("_kind"), column("_before"), column("_after"), column("_cut"))
        same = exp.and_(_is_null("_before"), _is_null("_after"), copy=False)
        there = exp.and_(not_null(column("_before")), not_null(column("_after")), copy=False)
        equal = exp.and_(there, *(self._equal(i) for i in range(len(self.columns))), copy=False)
        # none of these tests is ever NULL, and so neither is the opposite of all
        changed = exp.Not(this=exp.paren(exp.or_(same, equal, copy=False)))
        return compared.where(exp.LTE(this=column("_at"), expression=column("_cut")), changed, copy=False)

    def _equal(self, number: int) -> exp.Expr:
        """Whether a column is the same before and after; never NULL."""
        before, after = (column(f"_{number}", side) for side in ("_before", "_after"))
        kind = type_of(list(self.columns.values())[number], self.dialect).this
        if kind in _NESTED:
            before, after = (exp.cast(side, exp.DataType.Type.TEXT) for side in (before, after))  # type: ignore[assignment]
        same = exp.NullSafeEQ(this=before, expression=after)
        if kind not in _DOUBLES:
            return same
        # sums of doubles depend in their last digits on the order of adding
        size = exp.Greatest(this=exp.Abs(this=before.copy()), expressions=[exp.Abs(this=after.copy())])
        close = exp.LTE(
            this=exp.Abs(this=exp.Sub(this=before.copy(), expression=after.copy())),
            expression=exp.Mul(this=exp.Literal.number(_RELATIVE), expression=size),
        )
        return exp.paren(exp.or_(same, exp.Coalesce(this=close, expressions=[exp.false()]), copy=False))

    def _values(self) -> exp.Select:
        """A line for each value that differs, or for a row that comes or goes."""
        whole = len(self.columns)
        select = exp.Select().from_("_compared")
        select.append("joins", _columns(whole + 1))
        number = column("_column", "_columns")
        gone = exp.or_(_is_null("_before"), _is_null("_after"), copy=False)
        values = [exp.If(this=exp.Literal.number(i), true=exp.Not(this=self._equal(i))) for i in range(whole)]
        differs = exp.Case(
            ifs=[exp.If(this=gone, true=exp.EQ(this=number.copy(), expression=exp.Literal.number(whole)))],
            default=exp.Case(this=number.copy(), ifs=values, default=exp.false()),
        )
        labels = [_nth(i, exp.Literal.string(name)) for i, name in enumerate(self.columns)]
        changes = [_nth(i, exp.Literal.string(c.change)) for i, c in enumerate(self.cuts)]
        micros = exp.UnixToTime(this=column("_cut"), scale=exp.UnixToTime.MICROS.copy())
        return select.select(
            exp.alias_(micros, "cut"),
            exp.alias_(exp.Case(this=column("_kind"), ifs=changes), "future"),
            *(
                exp.alias_(key, exp.to_identifier(name, quoted=True))
                for key, name in zip(self._keys(), self._key_names(), strict=True)
            ),
            exp.alias_(
                exp.Case(this=number.copy(), ifs=labels, default=exp.Literal.string("(the row)")), "changed_column"
            ),
            exp.alias_(self._text("_before"), "value_before"),
            exp.alias_(self._text("_after"), "value_after"),
            copy=False,
        ).where(differs, copy=False)

    def _key_names(self) -> list[str]:
        taken = {"cut", "future", "changed_column", "value_before", "value_after"}
        return [f"key_{name}" if name.lower() in taken else name for name in self.key]

    def _text(self, side: str) -> exp.Expr:
        cases = [_nth(i, exp.cast(column(f"_{i}", side), exp.DataType.Type.TEXT)) for i in range(len(self.columns))]
        there = exp.Case(
            ifs=[exp.If(this=_is_null(side), true=exp.Literal.string("missing"))], default=exp.Literal.string("there")
        )
        return exp.Case(this=column("_column", "_columns"), ifs=cases, default=there)


def _nth(number: int, value: exp.Expr) -> exp.If:
    return exp.If(this=exp.Literal.number(number), true=value)


def _is_null(name: str) -> exp.Is:
    return exp.Is(this=column(name), expression=exp.Null())


def _columns(count: int) -> exp.Join:
    join = kinds(count)
    alias = exp.TableAlias(this=exp.to_identifier("_columns"), columns=[exp.to_identifier("_column")])
    join.this.set("alias", alias)
    return join
