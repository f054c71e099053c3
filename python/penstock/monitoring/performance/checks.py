"""Queries that have a row for each thing that is not as good as it should be: what data tests are made of."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from penstock.dialects import Dialect, double
from penstock.errors import InvalidRequestError, UnknownNameError
from penstock.monitoring.performance.calibration import calibration
from penstock.monitoring.performance.formulas import METRICS
from penstock.monitoring.performance.regression import NUMBER_METRICS
from penstock.monitoring.performance.scores import Scores
from penstock.monitoring.performance.slices import LESS_IS_BETTER, slices
from penstock.monitoring.words import column, extended, formula, inside, known_dialect, source
from penstock.semantic.durations import parse_duration

NEITHER_IS_BETTER = frozenset({"positives", "mean_score", "mean_error"})
"""The metrics of which neither more nor less is better: a gap to either side counts."""


def labels_mature(
    relation: str | exp.Query, dialect: Dialect, *, at: str, label: str, horizon: str, at_least: float
) -> exp.Select:
    """A row if fewer than a share of the rows that are as old as the horizon, or older, have a label.

    Args:
        relation: A query, or the name of a table as the dialect writes it.
        dialect: Whose SQL it is.
        at: The column of the time of each prediction.
        label: The column of labels, NULL where there is none.
        horizon: How old a prediction is when its label is final: '7 days'.
        at_least: The share.

    Returns:
        A query of `mature` and `labelled`, BIGINT; `share` and `short_by`, DOUBLE. Where no row is old enough, none.

    Raises:
        UnknownNameError: The dialect is neither of the two.
        InvalidRequestError: The horizon is no fixed length of time, or the share is none.
    """
    known_dialect(dialect)
    _check_share("at_least", at_least)
    microseconds = exp.Literal.number(parse_duration(horizon, where="horizon").microseconds)
    micros = "UNIX_MICROS" if dialect == "spark" else "EPOCH_US"
    text = f"{micros}(:now) - {micros}(CAST(:at AS TIMESTAMPTZ)) >= :horizon"
    old = formula(text, now=exp.CurrentTimestamp(), at=column(at), horizon=microseconds)
    counts = exp.select(
        "CAST(COUNT(*) AS BIGINT) AS mature",
        exp.alias_(formula("CAST(COUNT(:label) AS BIGINT)", label=column(label)), "labelled"),
    )
    counts = counts.from_(source(relation, dialect), copy=False).where(old)
    shares = extended(counts, {"share": "labelled / NULLIF(CAST(mature AS DOUBLE), 0e0)"})
    short = extended(shares, {"short_by": formula(":least - share", least=at_least)})
    return exp.select("*").from_(inside(short), copy=False).where("short_by > 0e0")


def calibrated(
    scores: Scores, dialect: Dialect, *, max_ece: float | None = None, alpha: float | None = None
) -> exp.Select:
    """The keys whose scores are not calibrated: an expected calibration error above a limit, or beyond chance.

    Args:
        scores: The rows.
        dialect: Whose SQL it is.
        max_ece: The greatest calibration error that passes; not looked at if not given.
        alpha: From which p-value of `calibration` down an error is no chance; not looked at if not given.

    Returns:
        A query of the columns of `calibration`.

    Raises:
        UnknownNameError: The dialect is neither of the two.
        InvalidRequestError: Neither limit is given, one is no share, or see `calibration`.
    """
    limits = []
    for name, limit, wrong in (("max_ece", max_ece, "ece > :limit"), ("alpha", alpha, "p < :limit")):
        if limit is not None:
            _check_share(name, limit)
            limits.append(formula(wrong, limit=limit))
    if not limits:
        raise InvalidRequestError(
            "there is no limit of calibration", where="max_ece, alpha", fix="give max_ece: 0.05, or alpha, or both"
        )
    return exp.select("*").from_(inside(calibration(scores, dialect)), copy=False).where(exp.or_(*limits))


def slice_metric_at_least(
    scores: Scores,
    columns: Sequence[str],
    dialect: Dialect,
    *,
    metric: str,
    at_least: float,
    min_rows: int = 100,
    numbers: bool = False,
) -> exp.Select:
    """The slices, and `all`, of whose rows a metric is below a limit, by how much.

    Args:
        scores: The rows.
        columns: The columns of slices.
        dialect: Whose SQL it is.
        metric: A metric of which more is better, such as `auc`.
        at_least: The limit.
        min_rows: Slices of fewer rows are not looked at.
        numbers: Whether scores are predicted numbers.

    Returns:
        A query of the keys, `slice`, `slice_value`, `rows`, `value`, `low`, `high` and `short_by`.

    Raises:
        UnknownNameError: There is no such metric or dialect.
        InvalidRequestError: Of the metric less is better, or neither; or see `slices`.
    """
    _check_metric(metric, numbers)
    if metric in LESS_IS_BETTER or metric in NEITHER_IS_BETTER:
        better = "less" if metric in LESS_IS_BETTER else "neither more nor less"
        raise InvalidRequestError(
            f"of '{metric}' {better} is better, so that it has no least value",
            where="metric",
            fix="compare slices with slice_gap_at_most",
        )
    told = slices(scores, columns, dialect, min_rows=min_rows, numbers=numbers)
    short = extended(told, {"short_by": formula(":least - value", least=at_least)})
    wrong = formula(
        "metric = :metric AND rows >= :rows AND short_by > 0e0",
        metric=exp.Literal.string(metric),
        rows=exp.Literal.number(min_rows),
    )
    return _of_slices(short, scores, ("rows", "value", "low", "high", "short_by"), wrong)


def slice_gap_at_most(
    scores: Scores,
    columns: Sequence[str],
    dialect: Dialect,
    *,
    metric: str,
    at_most: float,
    min_rows: int = 100,
    alpha: float = 0.05,
    numbers: bool = False,
) -> exp.Select:
    """The slices that are worse than their rest by more than a limit, and not by chance.

    Args:
        scores: The rows.
        columns: The columns of slices.
        dialect: Whose SQL it is.
        metric: A metric. Of those in `NEITHER_IS_BETTER` a gap to either side counts.
        at_most: The limit of the gap.
        min_rows: Slices of fewer rows are not looked at.
        alpha: The adjusted p-value up to which a gap is no chance. Metrics without standard errors have no p-value, and
            the gap alone counts.
        numbers: Whether scores are predicted numbers.

    Returns:
        A query of the keys, `slice`, `slice_value`, `rows`, `value`, `rest`, `worse_by` and `p_adjusted`.

    Raises:
        UnknownNameError: There is no such metric or dialect.
        InvalidRequestError: Alpha is no share; or see `slices`.
    """
    _check_metric(metric, numbers)
    _check_share("alpha", alpha)
    worse = "ABS(gap)" if metric in NEITHER_IS_BETTER else "gap" if metric in LESS_IS_BETTER else "-gap"
    told = slices(scores, columns, dialect, min_rows=min_rows, numbers=numbers)
    wrong = formula(
        "metric = :metric AND judged AND worse_by > :most AND COALESCE(p_adjusted <= :alpha, z IS NULL)",
        metric=exp.Literal.string(metric),
        most=at_most,
        alpha=double(alpha),
    )
    return _of_slices(
        extended(told, {"worse_by": worse}), scores, ("rows", "value", "rest", "worse_by", "p_adjusted"), wrong
    )


def _of_slices(told: exp.Select, scores: Scores, names: Sequence[str], wrong: exp.Expr) -> exp.Select:
    keys = [column(key) for key in scores.keys]
    return exp.select(*keys, "slice", "slice_value", *names).from_(inside(told), copy=False).where(wrong)


def _check_metric(metric: str, numbers: bool) -> None:
    known = NUMBER_METRICS if numbers else METRICS
    if metric not in known:
        other = METRICS if numbers else NUMBER_METRICS
        fix = f"say numbers: {'false' if numbers else 'true'}" if metric in other else ""
        raise UnknownNameError.of("metric", metric, known, where="metric", fix=fix)


def _check_share(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise InvalidRequestError(f"{name} is {value}", where=name, fix="give a share from 0 to 1")
