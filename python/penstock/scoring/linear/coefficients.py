"""Coefficients as data: how a table holds them, and how a query checks and unpacks one row of them, once.

In the table they stand by the input's name, as `Formula.as_data` gives them. A score reads them a row at a time, so the
subquery that fetches them gives a flat struct of numbers and one map a level term: one slot for each use in the score.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from penstock.errors import InvalidDefinitionError
from penstock.scoring.linear.engines_sql import Dialect, Words, added, number, words
from penstock.scoring.linear.shape import LevelShape, NumberShape, Shape

_LAYOUT = {
    "spark": {
        "numbers": "MAP<STRING, STRUCT<center: DOUBLE, scale: DOUBLE, weights: ARRAY<DOUBLE>, missing: ARRAY<DOUBLE>>>",
        "levels": "MAP<STRING, STRUCT<kind: STRING, weights: MAP<STRING, ARRAY<DOUBLE>>, unknown: ARRAY<DOUBLE>, "
        "missing: ARRAY<DOUBLE>>>",
        "all": "STRUCT<shape: STRING, link: STRING, classes: STRING, inputs: ARRAY<STRING>, "
        "intercepts: ARRAY<DOUBLE>, numbers: {numbers}, levels: {levels}>",
    },
    "duckdb": {
        "numbers": "MAP(VARCHAR, STRUCT(center DOUBLE, scale DOUBLE, weights DOUBLE[], missing DOUBLE[]))",
        "levels": "MAP(VARCHAR, STRUCT(kind VARCHAR, weights MAP(VARCHAR, DOUBLE[]), unknown DOUBLE[], "
        "missing DOUBLE[]))",
        "all": "STRUCT(shape VARCHAR, link VARCHAR, classes VARCHAR, inputs VARCHAR[], intercepts DOUBLE[], "
        "numbers {numbers}, levels {levels})",
    },
}


def coefficients_ddl(dialect: Dialect) -> str:
    """The type of the column that holds the coefficients, the same for every model."""
    layout = _LAYOUT[dialect]
    return layout["all"].format(numbers=layout["numbers"], levels=layout["levels"])


def checked(shape: Shape, coefficients: exp.Expression, dialect: Dialect) -> exp.Expression:
    """A scalar subquery that gives the coefficients unpacked for `score_of`, or fails.

    Args:
        shape: The shape that the SQL is written for.
        coefficients: A query of one column, as `coefficients_ddl` says.
        dialect: The engine.

    Raises:
        InvalidDefinitionError: when `coefficients` is no query of one column.
    """
    slots = _unpacked(shape, _HELD, words(dialect))
    named = [exp.PropertyEQ(this=exp.to_identifier(name), expression=value) for name, value in slots.items()]
    return _checked(shape, coefficients, exp.Struct(expressions=named), words(dialect))


_HELD = exp.column("c", "held")


def _checked(shape: Shape, coefficients: exp.Expression, given: exp.Expression, say: Words) -> exp.Expression:
    """A scalar subquery that gives an expression over the coefficients `_HELD`, or fails."""
    query = coefficients.unnest()
    if not isinstance(query, exp.Query) or len(query.selects) != 1:
        raise InvalidDefinitionError(
            "the coefficients of a model come from a query of one column", where=coefficients.sql(say.dialect)
        )
    # an aggregate gives one row even for none, so that a lost version is an error and not a column of NULLs
    named = exp.TableAlias(this=exp.to_identifier("given"), columns=[exp.to_identifier("c")])
    row = exp.select(
        exp.alias_(exp.AnyValue(this=exp.column("c", "given")), "c"), exp.alias_(exp.Count(this=exp.Star()), "n")
    ).from_(exp.Subquery(this=query.copy(), alias=named))
    right = exp.and_(
        exp.EQ(this=exp.column("n", "held"), expression=exp.Literal.number(1)),
        exp.EQ(this=_field(_HELD, "shape"), expression=exp.Literal.string(shape.hash)),
    )
    wrong = say.raised(
        f"no version of the model is of the shape {shape.hash}, for which this SQL was written: make its function anew"
    )
    case = exp.Case(ifs=[exp.If(this=right, true=given)], default=wrong)
    return exp.Subquery(this=exp.select(case).from_(row.subquery("held")))


class Slots:
    """The places of the coefficients in the sum of a score; `slot` gives the expression of the one of a name."""

    def __init__(self, shape: Shape, slot: Callable[[str], exp.Expression], say: Words) -> None:
        self._slot = slot
        self._places = {each: at for at, each in enumerate((*shape.numbers, *shape.levels))}
        self._say = say

    def intercept(self, output: int) -> exp.Expression:
        return self._slot(f"b_{output}")

    def slope(self, term: NumberShape, output: int) -> exp.Expression:
        return self._slot(f"w{self._places[term]}_{output}")

    def center(self, term: NumberShape) -> exp.Expression:
        return self._slot(f"c{self._places[term]}")

    def looked_up(self, term: LevelShape, key: exp.Expression, output: int) -> exp.Expression:
        return self._say.of_map(self._slot(f"l{self._places[term]}_{output}"), key)

    def unknown(self, term: LevelShape, output: int) -> exp.Expression:
        return self._slot(f"u{self._places[term]}_{output}")

    def missing(self, term: NumberShape | LevelShape, output: int) -> exp.Expression:
        return self._slot(f"m{self._places[term]}_{output}")


def fields_of(shape: Shape, unpacked: exp.Expression, say: Words) -> Slots:
    """The coefficients as fields of what `checked` gives."""
    return Slots(shape, lambda name: _field(unpacked, name), say)


def subqueries_of(shape: Shape, coefficients: exp.Expression, say: Words) -> Slots:
    """The coefficients as scalar subqueries, one a slot, each of which checks the shape.

    Raises:
        InvalidDefinitionError: when `coefficients` is no query of one column.
    """
    slots = _unpacked(shape, _HELD, say)
    return Slots(shape, lambda name: _checked(shape, coefficients, slots[name], say), say)


def _unpacked(shape: Shape, held: exp.Expression, say: Words) -> dict[str, exp.Expression]:
    """The slots by name."""
    slots: dict[str, exp.Expression] = {}
    outputs = range(shape.outputs)
    folded: list[list[exp.Expression]] = [[] for _ in outputs]
    for at, term in enumerate(shape.numbers):
        told = say.of_map(_field(held, "numbers"), exp.Literal.string(term.input))
        center = _field(told, "center")
        if term.centered:
            slots[f"c{at}"] = center
        for k in outputs:
            slope = exp.Div(this=say.of_list(_field(told, "weights"), k), expression=_field(told, "scale"))
            slots[f"w{at}_{k}"] = slope
            shift = exp.Mul(this=center.copy(), expression=exp.paren(slope))
            if not term.centered:
                folded[k].append(shift)
            if term.imputed:
                missing = say.of_list(_field(told, "missing"), k)
                slots[f"m{at}_{k}"] = missing if term.centered else exp.Add(this=missing, expression=shift.copy())
    for at, level in enumerate(shape.levels, start=len(shape.numbers)):
        told = say.of_map(_field(held, "levels"), exp.Literal.string(level.input))
        for k in outputs:
            slots[f"l{at}_{k}"] = _level_map(level, _field(told, "weights"), k, say)
            if not level.strict:
                slots[f"u{at}_{k}"] = say.of_list(_field(told, "unknown"), k)
            if level.imputed:
                slots[f"m{at}_{k}"] = say.of_list(_field(told, "missing"), k)
    for k in outputs:
        intercept = say.of_list(_field(held, "intercepts"), k)
        shifts = exp.paren(added(folded[k])) if folded[k] else None
        slots[f"b_{k}"] = exp.Sub(this=intercept, expression=shifts) if shifts else intercept
    return slots


def _level_map(term: LevelShape, weights: exp.Expression, output: int, say: Words) -> exp.Expression:
    """From levels, as they are compared, to weights of one output."""
    keys = exp.Anonymous(this="MAP_KEYS", expressions=[weights.copy()])
    values = exp.Anonymous(this="MAP_VALUES", expressions=[weights.copy()])
    return exp.Anonymous(
        this=say.map_of,
        expressions=[
            keys if term.kind == "text" else say.each(keys, number, "k"),
            say.each(values, lambda value: say.of_list(value, output), "v"),
        ],
    )


def _field(struct: exp.Expression, name: str) -> exp.Expression:
    return exp.Dot(this=struct.copy(), expression=exp.to_identifier(name))
