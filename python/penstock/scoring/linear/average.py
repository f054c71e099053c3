"""The average of a linear score from aggregates of its inputs: no score is computed for any row.

AVG(intercept + w * x) is intercept + w * AVG(x), and a level adds its weight times its share of the rows.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from penstock.dialects import Dialect, added, double, literal, number, words
from penstock.errors import InvalidDefinitionError
from penstock.scoring.linear.formula import Formula, Levels, Numeric
from penstock.scoring.linear.sql import level_key, unknown_level


def average_from_aggregates(
    formula: Formula, arguments: Mapping[str, exp.Expr], dialect: Dialect, *, refusal: str = ""
) -> exp.Expr:
    """AVG of the score over a group, from AVG and COUNT of its inputs.

    As with AVG, rows whose score is NULL do not count: where the model takes no missing value for some inputs, the
    aggregates are over the rows that have all of those.

    Args:
        formula: A model with the identity link and one output.
        arguments: For each input that it uses, the expression of its value in a row.
        dialect: The engine.
        refusal: The message of the error that a row without a score is; such rows are left out when it is empty.

    Returns:
        DOUBLE: a sum of aggregates; NULL for a group without a scored row.

    Raises:
        InvalidDefinitionError: when the link is not the identity, there are several outputs, or an argument is missing.
    """
    if formula.link != "identity" or len(formula.intercepts) != 1:
        raise InvalidDefinitionError(
            f"the average of a model with the link {formula.link} and {len(formula.intercepts)} outputs does not "
            f"follow from averages of its inputs",
            fix="average the score itself",
        )
    if lost := [each for each in formula.used if each not in arguments]:
        raise InvalidDefinitionError(f"no argument for the model's input '{lost[0]}'", near=arguments)
    average = _Average(formula, arguments, dialect)
    return average.refusing(refusal) if refusal else average.expression()


class _Average:
    def __init__(self, formula: Formula, arguments: Mapping[str, exp.Expr], dialect: Dialect) -> None:
        self._formula = formula
        self._say = words(dialect)
        # the values as they are compared and multiplied: NULL where they lack
        self._numbers = {each.input: self._say.without_nan(number(arguments[each.input])) for each in formula.numbers}
        self._keys = {each.input: level_key(each, arguments[each.input], self._say) for each in formula.levels}
        needed = [self._numbers[each.input] for each in formula.numbers if each.missing is None]
        needed += [self._keys[each.input] for each in formula.levels if each.missing is None]
        self._scored = exp.and_(*(_has(each) for each in needed)) if needed else None

    def expression(self) -> exp.Expr:
        """The whole average."""
        terms = [self._intercept()]
        terms += [term for each in self._formula.numbers for term in self._number(each)]
        terms += [term for each in self._formula.levels for term in self._level(each)]
        return added(terms)

    def refusing(self, message: str) -> exp.Expr:
        """The whole average, or an error where a row has no score."""
        if self._scored is None:
            return self.expression()
        all_scored = exp.EQ(this=exp.Count(this=exp.Star()), expression=self._count(None))
        refused = self._say.raised(message)
        return exp.Case(ifs=[exp.If(this=all_scored, true=self.expression())], default=refused)

    def _intercept(self) -> exp.Expr:
        """The intercept, or NULL for a group without a scored row."""
        some = exp.GT(this=self._count(None), expression=exp.Literal.number(0))
        return exp.Case(ifs=[exp.If(this=some, true=double(self._formula.intercepts[0]))])

    def _number(self, term: Numeric) -> list[exp.Expr]:
        value = self._numbers[term.input]
        mean = exp.Avg(this=self._of_scored(value))
        centered = exp.paren(exp.Sub(this=mean, expression=double(term.center)))
        product = exp.Mul(this=centered, expression=double(term.weights[0] / term.scale))
        if term.missing is None:
            return [product]
        of_present = exp.Mul(this=product, expression=self._share(_has(value)))
        return [
            # without one value the mean is NULL
            exp.Coalesce(this=of_present, expressions=[double(0.0)]),
            exp.Mul(this=double(term.missing[0]), expression=self._share(_lacks(value))),
        ]

    def _level(self, term: Levels) -> list[exp.Expr]:
        key = self._keys[term.input]
        terms: list[exp.Expr] = []
        for level, (weight,) in zip(term.levels, term.weights, strict=True):
            share = self._share(exp.EQ(this=key.copy(), expression=literal(level)))
            terms.append(exp.Mul(this=double(weight), expression=share))
        other: exp.Expr = _has(key)
        if term.levels:
            known = exp.In(this=key.copy(), expressions=[literal(level) for level in term.levels])
            other = exp.And(this=other, expression=exp.not_(known))
        if term.unknown is None:
            some = exp.GT(this=self._count(other), expression=exp.Literal.number(0))
            refused = self._say.raised(unknown_level(term.input))
            terms.append(exp.Case(ifs=[exp.If(this=some, true=refused)], default=double(0.0)))
        elif term.unknown[0]:
            terms.append(exp.Mul(this=double(term.unknown[0]), expression=self._share(other)))
        if term.missing is not None and term.missing[0]:
            terms.append(exp.Mul(this=double(term.missing[0]), expression=self._share(_lacks(key))))
        return terms

    def _share(self, condition: exp.Expr) -> exp.Expr:
        """The share of the scored rows for which the condition holds; NULL without a scored row."""
        zero = exp.Literal.number(0)
        return exp.Div(
            this=exp.cast(self._count(condition), "double"),
            expression=exp.Nullif(this=self._count(None), expression=zero),
        )

    def _count(self, condition: exp.Expr | None) -> exp.Expr:
        """How many of the scored rows the condition holds for."""
        both = [each for each in (self._scored, condition) if each is not None]
        if not both:
            return exp.Count(this=exp.Star())
        one = exp.Literal.number(1)
        return exp.Count(this=exp.Case(ifs=[exp.If(this=exp.and_(*(each.copy() for each in both)), true=one)]))

    def _of_scored(self, value: exp.Expr) -> exp.Expr:
        if self._scored is None:
            return value.copy()
        return exp.Case(ifs=[exp.If(this=self._scored.copy(), true=value.copy())])


def _has(value: exp.Expr) -> exp.Expr:
    return exp.not_(_lacks(value))


def _lacks(value: exp.Expr) -> exp.Expr:
    return exp.Is(this=value.copy(), expression=exp.null())
