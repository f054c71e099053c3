"""The score of a linear model as one SQL expression, with its coefficients as data or as literals.

As data, the text depends on the model's shape alone: the coefficients come from a scalar subquery, which also compares
the shape, once a query. A NULL (and NaN) is scored as the model scores a missing value; where scikit-learn refuses one,
the score is NULL. What it gives for an infinite input is undefined.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlglot import exp

from penstock.errors import InvalidDefinitionError
from penstock.scoring.linear.coefficients import Lookups, Slots, checked, literals, read_each, read_from
from penstock.scoring.linear.engines_sql import Dialect, Words, added, double, number, without_nan, words
from penstock.scoring.linear.formula import Formula
from penstock.scoring.linear.shape import LevelShape, NumberShape, Shape

Arguments = Mapping[str, exp.Expression]

_ONE_ROW = "penstock_coefficients"


def score_expression(
    shape: Shape, coefficients: exp.Expression, arguments: Arguments, dialect: Dialect
) -> exp.Expression:
    """The score of any version of this shape.

    Args:
        shape: The shape of the model's formula.
        coefficients: A query that gives one row of one column, laid out as `coefficients_ddl` says.
        arguments: For each input that the shape uses, the expression of its value.
        dialect: The engine.

    Returns:
        DOUBLE: the number, or the probability of the second of two classes. ARRAY<DOUBLE>: a number an output, or a
        probability a class. The query fails with an error where `coefficients` gives no row, several, or one of
        another shape. On Spark, several probabilities are a subquery that refers to the row, which may not stand within
        an aggregate: project it first.

    Raises:
        InvalidDefinitionError: when an argument is missing, or `coefficients` is no query of one column.
    """
    say = words(dialect)
    if dialect == "spark":
        row = checked(shape, coefficients, dialect)
        if shape.link != "softmax":
            return score_of(shape, row, arguments, dialect)  # equal subqueries run once, and different ones a job each
        # Spark takes no subquery in a lambda's function, but a column of one row, under a name that no argument has
        score = score_of(shape, exp.column(_ONE_ROW, _ONE_ROW), arguments, dialect)
        return exp.Subquery(this=exp.select(score).from_(exp.select(exp.alias_(row, _ONE_ROW)).subquery(_ONE_ROW)))
    # DuckDB plans each, equal or not, and a small one faster
    return _Score(shape, arguments, say, *read_each(shape, coefficients, say)).expression()


def score_of(shape: Shape, held: exp.Expression, arguments: Arguments, dialect: Dialect) -> exp.Expression:
    """As `score_expression`, where `held` is what `checked` gives or a column of it; it is written many times."""
    say = words(dialect)
    return _Score(shape, arguments, say, *read_from(shape, held, say)).expression()


def score_literal(formula: Formula, arguments: Arguments, dialect: Dialect) -> exp.Expression:
    """The score of this formula, with its coefficients in the text; see `score_expression`."""
    say = words(dialect)
    return _Score(formula.shape, arguments, say, *literals(formula, say)).expression()


@dataclass(frozen=True)
class _Score:
    shape: Shape
    arguments: Arguments
    say: Words
    slot: Slots
    lookup: Lookups

    def expression(self) -> exp.Expression:
        """The whole score."""
        shape = self.shape
        if lost := [each for each in shape.used if each not in self.arguments]:
            raise InvalidDefinitionError(f"no argument for the model's input '{lost[0]}'", near=self.arguments)
        # a number without weights for a missing value lets NaN through, and scikit-learn refuses such a row
        may_be_nan = any(not each.imputed for each in shape.numbers)
        raw = []
        for output in range(shape.outputs):
            terms = [self.slot(("intercept", 0, output))]
            terms += [self._number(term, at, output) for at, term in enumerate(shape.numbers)]
            terms += [self._level(term, at, output) for at, term in enumerate(shape.levels)]
            raw.append(without_nan(added(terms)) if may_be_nan else added(terms))
        if shape.link == "softmax":
            return _softmax(raw, self.say)
        scores = [_linked(shape, each) for each in raw]
        return scores[0] if len(scores) == 1 else self.say.list_of(scores)

    def _number(self, term: NumberShape, at: int, output: int) -> exp.Expression:
        value = number(self.arguments[term.input])
        if term.imputed:
            value = without_nan(value)
        if term.centered:
            value = exp.paren(exp.Sub(this=value, expression=self.slot(("center", at, 0))), copy=False)
        product = exp.Mul(this=value, expression=self.slot(("slope", at, output)))
        if not term.imputed:
            return product
        return exp.Coalesce(this=product, expressions=[self.slot(("missing", at, output))])

    def _level(self, term: LevelShape, at: int, output: int) -> exp.Expression:
        key = level_key(term, self.arguments[term.input])
        # an unknown level's weight is in the intercept
        otherwise = self.say.raised(unknown_level(term.input)) if term.strict else double(0.0)
        lacks = exp.Is(this=key.copy(), expression=exp.null())
        if term.missing == "own":
            otherwise = exp.Case(
                ifs=[exp.If(this=lacks, true=self.slot(("missing level", at, output)))], default=otherwise
            )
        elif term.missing == "null":
            otherwise = exp.Case(ifs=[exp.If(this=exp.not_(lacks), true=otherwise)])
        return exp.Coalesce(this=self.lookup(at, output, key), expressions=[otherwise])


def _linked(shape: Shape, raw: exp.Expression) -> exp.Expression:
    if shape.link == "identity":
        return raw
    if shape.link == "exp":
        return exp.Exp(this=raw)
    one = double(1.0)
    below = exp.Add(this=one.copy(), expression=exp.Exp(this=exp.Neg(this=exp.paren(raw, copy=False))))
    return exp.Div(this=one, expression=exp.paren(below, copy=False))


def _softmax(raw: list[exp.Expression], say: Words) -> exp.Expression:
    """1 / the sum of exp(other - own): no overflow, and each raw score is written once."""

    def probability(own: exp.Expression) -> exp.Expression:
        odds = say.each(exp.column("r"), lambda other: exp.Exp(this=exp.Sub(this=other, expression=own.copy())), "o")
        return exp.Div(this=double(1.0), expression=say.total(odds))

    def probabilities(row: exp.Expression) -> exp.Expression:
        lacks = exp.Is(this=say.of_list(row, 0), expression=exp.null())  # all of them have the same inputs
        return exp.Case(ifs=[exp.If(this=exp.not_(lacks), true=say.each(row, probability, "p"))])

    # a list of the one row of scores: a lambda is the only way to name a value within an expression
    return say.of_list(say.each(say.list_of([say.list_of(raw)]), probabilities, "r"), 0)


def level_key(term: LevelShape, argument: exp.Expression) -> exp.Expression:
    """An argument as a level is compared: NULL where it is missing."""
    return argument.copy() if term.kind == "text" else without_nan(number(argument))


def unknown_level(name: str) -> str:
    """What a row with an unknown level of a strict input says; not the level, which is a user's data."""
    return f"input '{name}' has a level that the model does not know, and the model refuses such rows"
