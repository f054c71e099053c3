"""The score of a linear model as one SQL expression, with its coefficients as data or as literals.

As data, the text depends on the model's shape alone: the coefficients come from a scalar subquery, which also compares
the shape, once a query. A NULL (and NaN) is scored as the model scores a missing value; where scikit-learn refuses one,
the score is NULL. What it gives for an infinite input is undefined.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from sqlglot import exp

from penstock.errors import InvalidDefinitionError
from penstock.scoring.linear.coefficients import checked, fields_of, subqueries_of
from penstock.scoring.linear.engines_sql import Dialect, Words, added, double, number, without_nan, words
from penstock.scoring.linear.formula import Formula
from penstock.scoring.linear.shape import LevelShape, NumberShape, Shape

Arguments = Mapping[str, exp.Expression]


class Coefficients(Protocol):
    """Where the numbers of a score come from; outputs count from 0."""

    def intercept(self, output: int) -> exp.Expression:
        """The intercept, into which the centers of terms that are not `centered` are folded."""

    def slope(self, term: NumberShape, output: int) -> exp.Expression:
        """Weight by scale."""

    def center(self, term: NumberShape) -> exp.Expression:
        """The center of a `centered` term."""

    def looked_up(self, term: LevelShape, key: exp.Expression, output: int) -> exp.Expression:
        """The weight of a level; NULL where it is missing or unknown."""

    def unknown(self, term: LevelShape, output: int) -> exp.Expression:
        """The weight of an unknown level."""

    def missing(self, term: NumberShape | LevelShape, output: int) -> exp.Expression:
        """What a missing value adds."""


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
        another shape.

    Raises:
        InvalidDefinitionError: when an argument is missing, or `coefficients` is no query of one column.
    """
    say = words(dialect)
    if dialect == "spark":  # equal subqueries run once, and different ones a job each
        return score_of(shape, checked(shape, coefficients, dialect), arguments, dialect)
    # DuckDB plans each, equal or not, and a small one faster
    return _score(shape, subqueries_of(shape, coefficients, say), arguments, say)


def score_of(shape: Shape, unpacked: exp.Expression, arguments: Arguments, dialect: Dialect) -> exp.Expression:
    """As `score_expression`, where `unpacked` is what `checked` gives or a column of it; it is written many times."""
    return _score(shape, fields_of(shape, unpacked, words(dialect)), arguments, words(dialect))


def score_literal(formula: Formula, arguments: Arguments, dialect: Dialect) -> exp.Expression:
    """The score of this formula, with its coefficients in the text; see `score_expression`."""
    return _score(formula.shape, _Literals(formula, words(dialect)), arguments, words(dialect))


def _score(shape: Shape, of: Coefficients, arguments: Arguments, say: Words) -> exp.Expression:
    if lost := [each for each in shape.used if each not in arguments]:
        raise InvalidDefinitionError(f"no argument for the model's input '{lost[0]}'", near=arguments)
    # a number without weights for a missing value lets NaN through, and scikit-learn refuses such a row
    may_be_nan = any(not each.imputed for each in shape.numbers)
    raw = []
    for output in range(shape.outputs):
        terms = [of.intercept(output)]
        terms += [_number(term, of, arguments[term.input], output) for term in shape.numbers]
        terms += [_level(term, of, arguments[term.input], output, say) for term in shape.levels]
        raw.append(without_nan(added(terms)) if may_be_nan else added(terms))
    if shape.link == "softmax":
        return _softmax(raw, say)
    scores = [_linked(shape, each) for each in raw]
    return scores[0] if len(scores) == 1 else say.list_of(scores)


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


def _number(term: NumberShape, of: Coefficients, argument: exp.Expression, output: int) -> exp.Expression:
    value = number(argument)
    if term.imputed:
        value = without_nan(value)
    if term.centered:
        value = exp.paren(exp.Sub(this=value, expression=of.center(term)), copy=False)
    product = exp.Mul(this=value, expression=of.slope(term, output))
    return exp.Coalesce(this=product, expressions=[of.missing(term, output)]) if term.imputed else product


def level_key(term: LevelShape, argument: exp.Expression) -> exp.Expression:
    """An argument as a level is compared: NULL where it is missing."""
    return argument.copy() if term.kind == "text" else without_nan(number(argument))


def _level(term: LevelShape, of: Coefficients, argument: exp.Expression, output: int, say: Words) -> exp.Expression:
    key = level_key(term, argument)
    unknown = say.raised(unknown_level(term.input)) if term.strict else of.unknown(term, output)
    lacks = exp.Is(this=key.copy(), expression=exp.null())
    otherwise = (
        exp.Case(ifs=[exp.If(this=lacks, true=of.missing(term, output))], default=unknown)
        if term.imputed
        else exp.Case(ifs=[exp.If(this=exp.not_(lacks), true=unknown)])
    )
    return exp.Coalesce(this=of.looked_up(term, key, output), expressions=[otherwise])


def unknown_level(name: str) -> str:
    """What a row with an unknown level of a strict input says; not the level, which is a user's data."""
    return f"input '{name}' has a level that the model does not know, and the model refuses such rows"


class _Literals:
    """The coefficients of one formula, as literals."""

    def __init__(self, formula: Formula, say: Words) -> None:
        self._formula = formula
        self._numbers = {each.input: each for each in formula.numbers}
        self._levels = {each.input: each for each in formula.levels}
        self._say = say

    def intercept(self, output: int) -> exp.Expression:
        folded = [e.center * (e.weights[output] / e.scale) for e in self._formula.numbers if not e.centered]
        return double(self._formula.intercepts[output] - sum(folded))

    def slope(self, term: NumberShape, output: int) -> exp.Expression:
        number = self._numbers[term.input]
        return double(number.weights[output] / number.scale)

    def center(self, term: NumberShape) -> exp.Expression:
        return double(self._numbers[term.input].center)

    def looked_up(self, term: LevelShape, key: exp.Expression, output: int) -> exp.Expression:
        levels = self._levels[term.input]
        pairs = zip(levels.levels, levels.weights, strict=True)
        return self._say.lookup(key, {level: weights[output] for level, weights in pairs})

    def unknown(self, term: LevelShape, output: int) -> exp.Expression:
        weights = self._levels[term.input].unknown
        assert weights is not None  # not a strict term
        return double(weights[output])

    def missing(self, term: NumberShape | LevelShape, output: int) -> exp.Expression:
        held = self._numbers if isinstance(term, NumberShape) else self._levels
        weights = held[term.input].missing
        assert weights is not None  # an imputed term
        # the folded intercept has the center's share, which a missing value does not add
        if isinstance(term, NumberShape) and not term.centered:
            number = self._numbers[term.input]
            return double(weights[output] + number.center * (number.weights[output] / number.scale))
        return double(weights[output])
