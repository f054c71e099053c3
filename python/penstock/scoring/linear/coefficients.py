"""Coefficients as data: how a table holds them, how a query checks one row of them, once, and reads it."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from penstock.errors import InvalidDefinitionError
from penstock.scoring.linear.engines_sql import Dialect, Words, double, words
from penstock.scoring.linear.formula import Formula
from penstock.scoring.linear.shape import Shape
from penstock.scoring.linear.slots import Slot, lookup_values, lookups, slot_values, slots

_DDL = {
    "spark": "STRUCT<shape: STRING, link: STRING, classes: STRING, inputs: ARRAY<STRING>, intercepts: ARRAY<DOUBLE>, "
    "numbers: MAP<STRING, STRUCT<center: DOUBLE, scale: DOUBLE, weights: ARRAY<DOUBLE>, missing: ARRAY<DOUBLE>>>, "
    "levels: MAP<STRING, STRUCT<kind: STRING, weights: MAP<STRING, ARRAY<DOUBLE>>, unknown: ARRAY<DOUBLE>, "
    "missing: ARRAY<DOUBLE>>>, "
    "slots: ARRAY<DOUBLE>, texts: ARRAY<MAP<STRING, DOUBLE>>, codes: ARRAY<MAP<DOUBLE, DOUBLE>>>",
    "duckdb": "STRUCT(shape VARCHAR, link VARCHAR, classes VARCHAR, inputs VARCHAR[], intercepts DOUBLE[], "
    "numbers MAP(VARCHAR, STRUCT(center DOUBLE, scale DOUBLE, weights DOUBLE[], missing DOUBLE[])), "
    "levels MAP(VARCHAR, STRUCT(kind VARCHAR, weights MAP(VARCHAR, DOUBLE[]), unknown DOUBLE[], missing DOUBLE[])), "
    "slots DOUBLE[], texts MAP(VARCHAR, DOUBLE)[], codes MAP(DOUBLE, DOUBLE)[])",
}

# From a slot, or from a term of levels, an output and a key, to the expression of the number; NULL for an unknown key.
Slots = Callable[[Slot], exp.Expression]
Lookups = Callable[[int, int, exp.Expression], exp.Expression]


def coefficients_ddl(dialect: Dialect) -> str:
    """The type of the column that holds the coefficients, as `Formula.as_data` gives them: the same for every model."""
    return _DDL[dialect]


def checked(shape: Shape, coefficients: exp.Expression, dialect: Dialect) -> exp.Expression:
    """A scalar subquery that gives the coefficients which `score_of` reads, or fails.

    Args:
        shape: The shape that the SQL is written for.
        coefficients: A query of one column, as `coefficients_ddl` says.
        dialect: The engine.

    Raises:
        InvalidDefinitionError: when `coefficients` is no query of one column.
    """
    fields = ["slots", "texts", "codes"]
    given = [exp.PropertyEQ(this=exp.to_identifier(each), expression=_field(_HELD, each)) for each in fields]
    return _checked(shape, coefficients, exp.Struct(expressions=given), words(dialect))


def read_from(shape: Shape, held: exp.Expression, say: Words) -> tuple[Slots, Lookups]:
    """How a score reads what `checked` gives."""
    return _readers(shape, lambda field, at: say.of_list(_field(held, field), at), say)


def read_each(shape: Shape, coefficients: exp.Expression, say: Words) -> tuple[Slots, Lookups]:
    """How a score reads each number by a scalar subquery of its own, which checks the shape.

    Raises:
        InvalidDefinitionError: when `coefficients` is no query of one column.
    """
    return _readers(
        shape, lambda field, at: _checked(shape, coefficients, say.of_list(_field(_HELD, field), at), say), say
    )


def literals(formula: Formula, say: Words) -> tuple[Slots, Lookups]:
    """The numbers of one formula, in the text."""
    values = slot_values(formula)
    return (
        lambda slot: double(values[slot]),
        lambda at, output, key: say.lookup(key, lookup_values(formula, at, output)),
    )


_HELD = exp.column("c", "held")


def _readers(shape: Shape, read: Callable[[str, int], exp.Expression], say: Words) -> tuple[Slots, Lookups]:
    places = {slot: at for at, slot in enumerate(slots(shape))}
    maps = {each: ("texts", at) for at, each in enumerate(lookups(shape, "text"))}
    maps |= {each: ("codes", at) for at, each in enumerate(lookups(shape, "number"))}
    return (
        lambda slot: read("slots", places[slot]),
        lambda at, output, key: say.of_map(read(*maps[at, output]), key),
    )


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


def _field(struct: exp.Expression, name: str) -> exp.Expression:
    return exp.Dot(this=struct.copy(), expression=exp.to_identifier(name))
