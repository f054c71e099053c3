"""From sums to an answer of one row a metric: value, standard error and interval."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import NormalDist

from sqlglot import exp

from penstock.dialects import double
from penstock.errors import InvalidRequestError
from penstock.monitoring.performance.formulas import Metric
from penstock.monitoring.performance.scores import OUTCOME, PROBABILITY
from penstock.monitoring.words import extended, formula, inside

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
    """The rows of `sums`, each once a metric, with `metric`, `value`, `share`, `standard_error`, `low` and `high`.

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
    valued = extended(each, {name: _by_metric(metrics, name) for name in ("value", "size")})
    varied = extended(valued, {"variance": _variance(metrics), "share": _share(metrics)})
    error = "CASE WHEN NOT variance IS NULL THEN SQRT(GREATEST(variance, 0e0)) END"
    erred = extended(varied, {"standard_error": error})
    return extended(erred, {"low": _end(metrics, -1.0, z), "high": _end(metrics, 1.0, z)})


def _by_metric(metrics: Mapping[str, Metric], part: str) -> exp.Expr:
    """A formula of each metric; NULL for a metric without."""
    formulas = {name: getattr(metric, part) for name, metric in metrics.items()}
    cases = [
        exp.If(this=exp.Literal.string(name), true=formula(text) if isinstance(text, str) else double(text))
        for name, text in formulas.items()
        if text is not None
    ]
    return exp.Case(this=exp.column("metric"), ifs=cases) if cases else exp.cast(exp.null(), "double")


def _variance(metrics: Mapping[str, Metric]) -> exp.Expr:
    sized = [exp.Literal.string(name) for name, metric in metrics.items() if metric.sized]
    # One row tells nothing of how much rows vary.
    factor = formula("size / NULLIF(size - 1e0, 0e0)")
    if sized:
        is_sized = exp.In(this=exp.column("metric"), expressions=sized)
        factor = formula("CASE WHEN :sized THEN 1e0 ELSE :factor END", sized=is_sized, factor=factor)
    return formula(
        "CASE WHEN label_is = :probability THEN :given ELSE :sampled * :factor END",
        probability=exp.Literal.string(PROBABILITY),
        given=_by_metric(metrics, "given"),
        sampled=_by_metric(metrics, "sampled"),
        factor=factor,
    )


def _share(metrics: Mapping[str, Metric]) -> exp.Expr:
    """The number of rows that a share is of; of shares of other labels than outcomes there is none."""
    shares = [exp.Literal.string(name) for name, metric in metrics.items() if metric.proportion]
    if not shares:
        return exp.cast(exp.null(), "double")
    is_share = exp.In(this=exp.column("metric"), expressions=shares)
    outcome = exp.Literal.string(OUTCOME)
    return formula("CASE WHEN label_is = :outcome AND :is_share THEN size END", outcome=outcome, is_share=is_share)


def _end(metrics: Mapping[str, Metric], sign: float, z: float) -> exp.Expr:
    """An end of the interval, within what the metric can be."""
    return formula(
        "CASE WHEN value IS NULL THEN NULL WHEN share > 0e0 THEN :wilson"
        # LEAST and GREATEST pass over NULL, which is no limit.
        f" WHEN NOT standard_error IS NULL THEN {'LEAST' if sign > 0 else 'GREATEST'}(:normal, :limit) END",
        wilson=wilson(exp.column("value"), exp.column("share"), sign * z),
        normal=formula("value + :by * standard_error", by=sign * z),
        limit=_by_metric(metrics, "most" if sign > 0 else "least"),
    )
