"""From sums to an answer of one row a metric: value, standard error and interval."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import NormalDist

from sqlglot import exp

from penstock.errors import InvalidRequestError
from penstock.monitoring.metric_formulas import Metric
from penstock.monitoring.scores import OUTCOME, PROBABILITY
from penstock.monitoring.words import extended, formula, inside
from penstock.scoring.linear.engines_sql import double

_WILSON = """
(:r + :z * :z / (2e0 * :n) + :z * SQRT(GREATEST(:r * (1e0 - :r) / :n + :z * :z / (4e0 * :n * :n), 0e0)))
/ (1e0 + :z * :z / :n)
"""


def wilson(share: exp.Expr, size: exp.Expr, z: float) -> exp.Expr:
    """Wilson's limit of a share of `size` rows, `z` standard errors above it, or below for a `z` below 0."""
    return formula(_WILSON, r=share, n=size, z=z)


def quantile(confidence: float) -> float:
    """How many standard errors to either side have this share of a normal distribution between them.

    Raises:
        InvalidRequestError: It is not between 0 and 1.

    Example:
        >>> round(quantile(0.95), 4)
        1.96
    """
    if not 0 < confidence < 1:
        raise InvalidRequestError(
            f"the confidence is {confidence}", where="confidence", fix="give a share between 0 and 1, such as 0.95"
        )
    return NormalDist().inv_cdf((1 + confidence) / 2)


def told(sums: exp.Query, metrics: Mapping[str, Metric], *, confidence: float) -> exp.Select:
    """The rows of `sums`, each once a metric, with `metric`, `value`, `size`, `standard_error`, `low` and `high`.

    Args:
        sums: What the formulas are over, with `label_is`.
        metrics: The formulas by the names of the metrics.
        confidence: Of the intervals.

    Raises:
        InvalidRequestError: The confidence is not between 0 and 1.
    """
    z = quantile(confidence)
    names = exp.values([(name,) for name in metrics], alias="names", columns=["metric"])
    each = exp.select("*").from_(inside(sums), copy=False).join(names, join_type="cross", copy=False)
    valued = extended(each, {"value": _by_metric({n: formula(m.value) for n, m in metrics.items()})})
    varied = extended(valued, {"variance": _variance(metrics), "size": _size(metrics)})
    error = "CASE WHEN NOT variance IS NULL THEN SQRT(GREATEST(variance, 0e0)) END"
    erred = extended(varied, {"standard_error": error})
    return extended(erred, {"low": _end(metrics, -1.0, z), "high": _end(metrics, 1.0, z)})


def _by_metric(values: Mapping[str, exp.Expr]) -> exp.Expr:
    """A value for each metric; NULL for one that is not named."""
    if not values:
        return exp.cast(exp.null(), "double")
    return exp.Case(
        this=exp.column("metric"),
        ifs=[exp.If(this=exp.Literal.string(name), true=value) for name, value in values.items()],
    )


def _variance(metrics: Mapping[str, Metric]) -> exp.Expr:
    r = exp.column("value")
    sampled = {}
    for name, metric in metrics.items():
        if metric.sampled:
            # One row tells nothing of how much rows vary.
            factor = double(1.0) if metric.sized else formula(f"{metric.size} / NULLIF({metric.size} - 1e0, 0e0)")
            sampled[name] = formula(":variance * :factor", variance=formula(metric.sampled, r=r), factor=factor)
    given = {name: formula(metric.given, r=r) for name, metric in metrics.items() if metric.given}
    return formula(
        "CASE WHEN label_is = :probability THEN :given ELSE :sampled END",
        probability=exp.Literal.string(PROBABILITY),
        given=_by_metric(given),
        sampled=_by_metric(sampled),
    )


def _size(metrics: Mapping[str, Metric]) -> exp.Expr:
    """The number of rows that a share is of; of shares of other labels than outcomes there is none."""
    sizes = {name: formula(metric.size) for name, metric in metrics.items() if metric.proportion}
    return formula(
        "CASE WHEN label_is = :outcome THEN :size END", outcome=exp.Literal.string(OUTCOME), size=_by_metric(sizes)
    )


def _end(metrics: Mapping[str, Metric], sign: float, z: float) -> exp.Expr:
    """An end of the interval, within what the metric can be."""
    normal = formula("value + :by * standard_error", by=sign * z)
    limits = {
        name: double(limit)
        for name, metric in metrics.items()
        if (limit := metric.most if sign > 0 else metric.least) is not None
    }
    # Both pass over NULL, which is no limit.
    limited = formula(
        f"{'LEAST' if sign > 0 else 'GREATEST'}(:normal, :limit)", normal=normal, limit=_by_metric(limits)
    )
    return formula(
        "CASE WHEN value IS NULL THEN NULL WHEN size > 0e0 THEN :wilson"
        " WHEN NOT standard_error IS NULL THEN :limited END",
        wilson=wilson(exp.column("value"), exp.column("size"), sign * z),
        limited=limited,
    )
