"""The numbers of a score in the order in which SQL reads them, which the shape alone fixes.

By input's name they are for people and for other programs; SQL would have to search them, a row at a time. So a row of
coefficients has them a second time: one list of numbers, and one map for each term of levels and output.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from penstock.scoring.linear.shape import LevelKind, Shape

if TYPE_CHECKING:
    from penstock.scoring.linear.formula import Formula

# what it is, the term's place among the numbers or the levels (0 for an intercept), the output
Slot = tuple[str, int, int]


def slots(shape: Shape) -> list[Slot]:
    """All numbers of a score of this shape.

    `intercept` is what is left when the centers that are not subtracted row by row are folded into it; `slope` is
    weight by scale; `missing` of a number is what it adds to that intercept. An unknown level's weight is folded into
    the intercept too and taken off the others: in Spark, one more number to read for it costs as much as the lookup.
    """
    outputs = range(shape.outputs)
    made: list[Slot] = [("intercept", 0, k) for k in outputs]
    for at, number in enumerate(shape.numbers):
        made += [("center", at, 0)] if number.centered else []
        made += [("slope", at, k) for k in outputs]
        made += [("missing", at, k) for k in outputs] if number.imputed else []
    for at, level in enumerate(shape.levels):
        made += [("missing level", at, k) for k in outputs] if level.missing == "own" else []
    return made


def lookups(shape: Shape, kind: LevelKind) -> list[tuple[int, int]]:
    """The maps of one kind of level: the term's place among the levels, and the output."""
    return [(at, k) for at, level in enumerate(shape.levels) if level.kind == kind for k in range(shape.outputs)]


def slot_values(formula: Formula) -> dict[Slot, float]:
    """The numbers of a formula, in the order of `slots`."""
    return {slot: _value(formula, *slot) for slot in slots(formula.shape)}


def lookup_values(formula: Formula, at: int, output: int) -> dict[Any, float]:
    """From each level to its weight in one output, less that of an unknown level."""
    term = formula.levels[at]
    unknown = _of_unknown(formula, at, output)
    return {level: weights[output] - unknown for level, weights in zip(term.levels, term.weights, strict=True)}


def _value(formula: Formula, what: str, at: int, output: int) -> float:
    if what == "intercept":
        centers = [-_folded(formula, i, output) for i in range(len(formula.numbers))]
        unknown = [_of_unknown(formula, i, output) for i in range(len(formula.levels))]
        return math.fsum([formula.intercepts[output], *centers, *unknown])
    if what == "center":
        return formula.numbers[at].center
    if what == "slope":
        return formula.numbers[at].weights[output] / formula.numbers[at].scale
    if what == "missing":
        return (formula.numbers[at].missing or ())[output] + _folded(formula, at, output)
    return (formula.levels[at].missing or ())[output] - _of_unknown(formula, at, output)


def _of_unknown(formula: Formula, at: int, output: int) -> float:
    unknown = formula.levels[at].unknown
    return 0.0 if unknown is None else unknown[output]


def _folded(formula: Formula, at: int, output: int) -> float:
    """What a number's term takes from the intercept."""
    number = formula.numbers[at]
    return 0.0 if number.centered else number.center * (number.weights[output] / number.scale)
