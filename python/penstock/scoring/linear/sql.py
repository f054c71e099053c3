"""The score of a linear model as one SQL expression, with its coefficients as literals.

A NULL (and NaN) is scored as the model scores a missing value; where scikit-learn refuses one, the score is NULL. What
it gives for an infinite input is undefined.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from sqlglot import exp

from penstock.dialects import Dialect, Words, added, double, number, words
from penstock.errors import InvalidDefinitionError
from penstock.scoring.linear.formula import Formula, Levels, Numeric

Arguments = Mapping[str, exp.Expr]


def score_expression(formula: Formula, arguments: Arguments, dialect: Dialect) -> exp.Expr:
    """The score of a row.

    Args:
        formula: The model.
        arguments: For each input that it uses, the expression of its value.
        dialect: The engine.

    Returns:
        DOUBLE: the number, or the probability of the second of two classes. ARRAY<DOUBLE>: a number an output, or a
        probability a class.

    Raises:
        InvalidDefinitionError: when an argument is missing.
    """
    return _Score(formula, arguments, words(dialect)).expression()


@dataclass(frozen=True)
class _Score:
    formula: Formula
    arguments: Arguments
    say: Words

    def expression(self) -> exp.Expr:
        """The whole score."""
        formula = self.formula
        if lost := [each for each in formula.used if each not in self.arguments]:
            raise InvalidDefinitionError(f"no argument for the model's input '{lost[0]}'", near=self.arguments)
        # a number without weights for a missing value lets NaN through, and scikit-learn refuses such a row
        may_be_nan = any(each.missing is None for each in formula.numbers)
        raw = []
        for output in range(len(formula.intercepts)):
            terms = [double(_intercept(formula, output))]
            terms += [self._number(term, output) for term in formula.numbers]
            terms += [self._level(term, output) for term in formula.levels]
            raw.append(self.say.without_nan(added(terms)) if may_be_nan else added(terms))
        if formula.link == "softmax":
            return _softmax(raw, self.say)
        scores = [_linked(formula, each) for each in raw]
        return scores[0] if len(scores) == 1 else self.say.list_of(scores)

    def _number(self, term: Numeric, output: int) -> exp.Expr:
        value = number(self.arguments[term.input])
        if term.missing is not None:
            value = self.say.without_nan(value)
        if term.centered:
            value = exp.paren(exp.Sub(this=value, expression=double(term.center)), copy=False)
        product = exp.Mul(this=value, expression=double(term.weights[output] / term.scale))
        if term.missing is None:
            return product
        return exp.Coalesce(this=product, expressions=[double(term.missing[output] + _folded(term, output))])

    def _level(self, term: Levels, output: int) -> exp.Expr:
        key = level_key(term, self.arguments[term.input], self.say)
        unknown = _of_unknown(term, output)
        # an unknown level's weight is in the intercept
        otherwise = self.say.raised(unknown_level(term.input)) if term.unknown is None else double(0.0)
        lacks = exp.Is(this=key.copy(), expression=exp.null())
        if term.missing is None:
            otherwise = exp.Case(ifs=[exp.If(this=exp.not_(lacks), true=otherwise)])
        elif term.missing != term.unknown:
            own = exp.If(this=lacks, true=double(term.missing[output] - unknown))
            otherwise = exp.Case(ifs=[own], default=otherwise)
        values = {level: weights[output] - unknown for level, weights in zip(term.levels, term.weights, strict=True)}
        return exp.Coalesce(this=self.say.lookup(key, values), expressions=[otherwise])


def _intercept(formula: Formula, output: int) -> float:
    """The intercept with the centers that are not subtracted row by row, and the weights of unknown levels."""
    centers = [-_folded(each, output) for each in formula.numbers]
    unknown = [_of_unknown(each, output) for each in formula.levels]
    return math.fsum([formula.intercepts[output], *centers, *unknown])


def _of_unknown(term: Levels, output: int) -> float:
    return 0.0 if term.unknown is None else term.unknown[output]


def _folded(term: Numeric, output: int) -> float:
    """What a number's term takes from the intercept."""
    return 0.0 if term.centered else term.center * (term.weights[output] / term.scale)


def _linked(formula: Formula, raw: exp.Expr) -> exp.Expr:
    if formula.link == "identity":
        return raw
    if formula.link == "exp":
        return exp.Exp(this=raw)
    one = double(1.0)
    below = exp.Add(this=one.copy(), expression=exp.Exp(this=exp.Neg(this=exp.paren(raw, copy=False))))
    return exp.Div(this=one, expression=exp.paren(below, copy=False))


def _softmax(raw: list[exp.Expr], say: Words) -> exp.Expr:
    """1 / the sum of exp(other - own): no overflow, and each raw score is written once."""

    def probability(own: exp.Expr) -> exp.Expr:
        odds = say.each(exp.column("r"), lambda other: exp.Exp(this=exp.Sub(this=other, expression=own.copy())), "o")
        return exp.Div(this=double(1.0), expression=say.total(odds))

    def probabilities(row: exp.Expr) -> exp.Expr:
        lacks = exp.Is(this=say.of_list(row, 0), expression=exp.null())  # all of them have the same inputs
        return exp.Case(ifs=[exp.If(this=exp.not_(lacks), true=say.each(row, probability, "p"))])

    # a list of the one row of scores: a lambda is the only way to name a value within an expression
    return say.of_list(say.each(say.list_of([say.list_of(raw)]), probabilities, "r"), 0)


def level_key(term: Levels, argument: exp.Expr, say: Words) -> exp.Expr:
    """An argument as a level is compared: NULL where it is missing."""
    return argument.copy() if term.kind == "text" else say.without_nan(number(argument))


def unknown_level(name: str) -> str:
    """What a row with an unknown level of a strict input says; not the level, which is a user's data."""
    return f"input '{name}' has a level that the model does not know, and the model refuses such rows"
