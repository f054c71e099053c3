"""What a prediction costs once its label is known: losses of one row, whose mean is a model's."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from sqlglot import exp

from penstock.errors import UnknownNameError
from penstock.monitoring.words import formula

# As scikit-learn clips: a certain prediction that is wrong costs 36, not infinitely much.
_LEAST = sys.float_info.epsilon

LOSSES: Mapping[str, str] = {
    "absolute_error": "ABS(:score - :label)",
    "log_loss": "-LN(CASE WHEN :label = 1e0 THEN :clipped ELSE 1e0 - :clipped END)",
    "squared_error": "(:score - :label) * (:score - :label)",
    "zero_one": "CASE WHEN (:score >= :threshold) = (:label = 1e0) THEN 0e0 ELSE 1e0 END",
}
"""The losses by name, each the formula of a row. Less is better, and nothing is less than 0."""

OF_PROBABILITIES = frozenset({"log_loss", "zero_one"})
"""Those that are of a probability and a label of 0 or 1; `squared_error` of these is the Brier score."""


def loss(name: str, label: exp.Expr, score: exp.Expr, *, threshold: float = 0.5) -> exp.Expr:
    """The loss of a row as DOUBLE; NULL where it has no label or no score.

    Args:
        name: One of `LOSSES`, which scikit-learn calls `log_loss`, `zero_one_loss` and `mean_…_error`.
        label: What came true, DOUBLE; 0 or 1 for a loss of probabilities.
        score: What was predicted, DOUBLE.
        threshold: From which probability on `zero_one` takes it as a prediction of 1.

    Raises:
        UnknownNameError: There is no such loss.

    Example:
        >>> loss("squared_error", exp.column("y"), exp.column("p")).sql()
        '(p - y) * (p - y)'
    """
    if name not in LOSSES:
        raise UnknownNameError.of("loss", name, LOSSES, where="loss")
    clipped = formula("GREATEST(:least, LEAST(:most, :score))", least=_LEAST, most=1 - _LEAST, score=score)
    row = formula(LOSSES[name], label=label, score=score, clipped=clipped, threshold=threshold)
    if name not in OF_PROBABILITIES:
        return row
    # A CASE takes NULL as false, and LEAST passes over it.
    return formula(
        "CASE WHEN NOT :label IS NULL AND NOT :score IS NULL THEN :row END", label=label, score=score, row=row
    )
