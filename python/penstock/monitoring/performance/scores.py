"""Rows with what was predicted and what came true: the relation that performance is computed from.

A row has a weight w, a score p, and y, how much of a positive it is. What came true gives y = 1 or 0. Where nothing
seen yet means no, a positive seen stands for 1/S of them, S being the share that is seen by then; and where no label is
known, a calibrated probability stands for it. All metrics of a classifier are ratios of sums that are linear in y, or
of pairs of rows and linear in the y of each. So one set of formulas gives realised, maturity-weighted and estimated
values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from sqlglot import exp

from penstock.dialects import Dialect, double
from penstock.errors import InvalidRequestError, UnknownNameError
from penstock.monitoring.performance.losses import LOSSES, loss
from penstock.monitoring.words import column, extended, formula, known_dialect, named, source

LabelIs = Literal["outcome", "weighted_outcome", "probability"]
OUTCOME, WEIGHTED, PROBABILITY = get_args(LabelIs)
ANSWER = frozenset({"metric", "value", "standard_error", "low", "high", "rows", "binned_error"})
"""The columns of answers beside the keys, whose names no key may have."""


@dataclass(frozen=True)
class Scores:
    """Rows of predictions with their labels, as a relation.

    Attributes:
        relation: A query, or the name of a table as the dialect writes it.
        score: The column of scores: a probability of the positive class, or a predicted number.
        label: The column of what came true: 1 or 0, or true or false; or a number, for predicted numbers.
        weight: The column of weights; every row counts 1 without one.
        keys: The columns by whose values performance is told: a slice, a version, a day.
        threshold: From which score on a row is predicted to be positive.
        label_is: `outcome`: what came true. `weighted_outcome`: what came true over the share that is known by now,
            as `maturity.weighted` gives it. `probability`: a calibrated probability in the place of a label.

    A row without label, score or weight (NULL or NaN) or with a weight of 0 or below counts nowhere.
    """

    relation: str | exp.Query
    score: str = "score"
    label: str = "label"
    weight: str | None = None
    keys: tuple[str, ...] = ()
    threshold: float = 0.5
    label_is: LabelIs = OUTCOME

    def __post_init__(self) -> None:
        if self.label_is not in get_args(LabelIs):
            raise UnknownNameError.of("kind of label", self.label_is, get_args(LabelIs), where="label_is")
        check_keys(self.keys, ANSWER)

    def over(self, relation: exp.Query, **changes: object) -> Scores:
        """The same of another relation."""
        return replace(self, relation=relation, **changes)  # type: ignore[arg-type]


def check_keys(keys: Sequence[str], taken: frozenset[str]) -> None:
    """Refuse keys that an answer could not tell apart.

    Raises:
        InvalidRequestError: A key is named twice, or has the name of a column of the answer.
    """
    seen: set[str] = set()
    for key in keys:
        if key.lower() in taken:
            raise InvalidRequestError(
                f"the key '{key}' has the name of a column of the answer",
                where="keys",
                fix="name the column otherwise in a query",
            )
        if key.lower() in seen:
            raise InvalidRequestError(f"the key '{key}' is named twice", where="keys")
        seen.add(key.lower())


def own_names(keys: Sequence[str]) -> dict[str, str]:
    """Names of ours for keys of a user's, which meet none of the other names of ours."""
    return {f"key_{at}": key for at, key in enumerate(keys)}


def as_given(own: Mapping[str, str]) -> list[exp.Expr]:
    """The keys under the user's names again."""
    return [exp.alias_(column(name), given, quoted=True) for name, given in own.items()]


def counted(scores: Scores, dialect: Dialect, *, label_is: exp.Expr | None = None) -> exp.Select:
    """The rows that count, as DOUBLE under names of ours: the keys, `label_is`, `w`, `y`, `p` and `h`.

    `h` is 1 where the row is predicted to be positive, else 0. `label_is` may be said by each row.

    Raises:
        UnknownNameError: The dialect is neither of the two.
    """
    known_dialect(dialect)
    weight = exp.cast(column(scores.weight), "double") if scores.weight else double(1.0)
    own = {
        **{name: column(given) for name, given in own_names(scores.keys).items()},
        "label_is": label_is or exp.Literal.string(scores.label_is),
        "w": weight,
        "y": exp.cast(column(scores.label), "double"),
        "p": exp.cast(column(scores.score), "double"),
    }
    given = exp.select(*named(own)).from_(source(scores.relation, dialect), copy=False)
    positive = formula("CASE WHEN p >= :threshold THEN 1e0 ELSE 0e0 END", threshold=scores.threshold)
    # NaN is above all numbers on either engine.
    known = "w > 0e0 AND w < CAST('Infinity' AS DOUBLE) AND NOT y IS NULL AND NOT p IS NULL"
    return extended(given, {"h": positive}).where(formula(f"{known} AND NOT ISNAN(y) AND NOT ISNAN(p)"), copy=False)


def row_losses(threshold: float) -> dict[str, tuple[exp.Expr, exp.Expr]]:
    """By the name of each loss: what a row costs if it is positive, and if it is not."""
    one, zero = double(1.0), double(0.0)
    score = exp.column("p")
    return {
        name: (loss(name, one, score, threshold=threshold), loss(name, zero, score, threshold=threshold))
        for name in LOSSES
    }
