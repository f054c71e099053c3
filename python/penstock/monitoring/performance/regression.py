"""Realised performance of predicted numbers, with standard errors and intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlglot import exp

from penstock.dialects import Dialect
from penstock.errors import InvalidRequestError
from penstock.monitoring.performance.answers import told
from penstock.monitoring.performance.formulas import Metric
from penstock.monitoring.performance.metrics import COLUMNS
from penstock.monitoring.performance.scores import OUTCOME, Scores, as_given, counted, own_names
from penstock.monitoring.words import extended, inside, named, totals

# Of row weight w, label y and error e; 2 and 4 are powers.
_SUMS = {
    "w": "SUM(w)",
    "w2": "SUM(w * w)",
    "wy": "SUM(w * y)",
    "wy2": "SUM(w * y * y)",
    "we": "SUM(w * e)",
    "wa": "SUM(w * ABS(e))",
    "we2": "SUM(w * e * e)",
    "w2e": "SUM(w * w * e)",
    "w2a": "SUM(w * w * ABS(e))",
    "w2e2": "SUM(w * w * e * e)",
    "w2e4": "SUM(w * w * e * e * e * e)",
}
_SQUARED = "(w2e4 - 2e0 * {0} * w2e2 + {0} * {0} * w2) / NULLIF(w * w, 0e0)"

NUMBER_METRICS: Mapping[str, Metric] = {
    "mean_error": Metric(
        "we / NULLIF(w, 0e0)",
        "(w2e2 - 2e0 * value * w2e + value * value * w2) / NULLIF(w * w, 0e0)",
        least=None,
        most=None,
    ),
    "absolute_error": Metric(
        "wa / NULLIF(w, 0e0)", "(w2e2 - 2e0 * value * w2a + value * value * w2) / NULLIF(w * w, 0e0)", most=None
    ),
    "squared_error": Metric("we2 / NULLIF(w, 0e0)", _SQUARED.format("value"), most=None),
    # The slope of a root is 1 / (2 root).
    "rmse": Metric(
        "SQRT(we2 / NULLIF(w, 0e0))",
        f"{_SQUARED.format('(value * value)')} / NULLIF(4e0 * value * value, 0e0)",
        most=None,
    ),
    "r2": Metric("1e0 - we2 / NULLIF(GREATEST(wy2 - wy * wy / NULLIF(w, 0e0), 0e0), 0e0)", least=None),
}
"""The metrics of predicted numbers by name."""


NUMBER_STATE = ("n", *_SUMS)
"""Sums over the rows of a key, which add up and subtract."""


def number_sums(rows: exp.Select, by: Sequence[str]) -> exp.Select:
    """The state of `counted` rows."""
    return totals(extended(rows, {"e": "p - y"}), by, {"n": "CAST(COUNT(*) AS BIGINT)", **_SUMS})


def number_performance(scores: Scores, dialect: Dialect, *, confidence: float = 0.95) -> exp.Select:
    """How far predicted numbers were from the labels that are known: one row a key and metric, from one aggregation.

    `mean_error` (score - label), `absolute_error`, `squared_error` are means with errors by the central limit theorem;
    `rmse` is a root with its error by the delta method; `r2` is 1 - Σ (score-label)² / Σ (label-mean)², and has none.
    Labels that are far from 0 and near to each other cost `r2` digits: about 1e-16 times (mean / deviation)².

    Args:
        scores: The rows, with numbers as scores and labels.
        dialect: Whose SQL it is.
        confidence: How often the interval is to have the true value in it.

    Returns:
        A query of the columns of `performance`.

    Raises:
        UnknownNameError: The dialect is neither of the two.
        InvalidRequestError: The labels are no outcomes, or the confidence is none.

    Example:
        >>> number_performance(Scores("scored", score="minutes", label="came"), "spark").named_selects[:2]
        ['metric', 'value']
    """
    if scores.label_is != OUTCOME:
        raise InvalidRequestError(
            f"the labels of predicted numbers are taken as {scores.label_is}",
            where="label_is",
            fix="weight the rows that have a label instead: Scores(weight='weight')",
        )
    own = own_names(scores.keys)
    by = [*own, "label_is"]
    answer = told(number_sums(counted(scores, dialect), by), NUMBER_METRICS, confidence=confidence)
    last = named({"rows": "n", "binned_error": "0e0 * n"})
    return exp.select(*as_given(own), *COLUMNS[:-2], *last).from_(inside(answer), copy=False)
