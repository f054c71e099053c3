"""Is a probability what it says? Reliability by bins, tests, and isotonic calibration."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from penstock.dialects import Dialect, double
from penstock.errors import InvalidRequestError
from penstock.monitoring.performance.answers import quantile, wilson
from penstock.monitoring.performance.curves import Curve, looked_up
from penstock.monitoring.performance.metrics import CALIBRATION_BINS
from penstock.monitoring.performance.score_tiles import binned, check_bins, grouped
from penstock.monitoring.performance.scores import OUTCOME, Scores, as_given, check_keys, counted, own_names
from penstock.monitoring.tails import chi2_sf, norm_sf
from penstock.monitoring.words import extended, formula, inside, named, totals

_RELIABILITY = ("bin", "rows", "mean_score", "positives", "low", "high", "gap")
_TEST = ("rows", "ece", "z", "z_p", "chi2", "df", "chi2_p", "p")


def reliability(
    scores: Scores, dialect: Dialect, *, bins: int = CALIBRATION_BINS, confidence: float = 0.95
) -> exp.Select:
    """The reliability table: for each bin of scores its mean score beside the share of positives, in one scan.

    Args:
        scores: The rows, with probabilities as scores.
        dialect: Whose SQL it is.
        bins: How many bins of one width there are from 0 to 1. Empty ones have no row.
        confidence: Of Wilson's interval of the share, with weights of Kish's effective number of rows.

    Returns:
        A query of the keys; `bin` from 0 and `rows`, BIGINT; `mean_score`, `positives`, its `low` and `high`, and the
        `gap` positives - mean_score, DOUBLE. The expected calibration error is the mean of |gap|, weighted by rows.

    Raises:
        UnknownNameError: The dialect is neither of the two.
        InvalidRequestError: There are no bins, a key has the name of a column, labels are no outcomes, or the
            confidence is none.
    """
    check_bins(bins)
    _only_outcomes(scores)
    check_keys(scores.keys, frozenset(_RELIABILITY))
    z = quantile(confidence)
    own = own_names(scores.keys)
    shares = extended(
        grouped(counted(scores, dialect), scores, binned(bins), "bin"),
        {"mean_score": "wp / w", "positives": "wy / w", "size": "w * w / w2", "rows": "n"},
    )
    positives, size = exp.column("positives"), exp.column("size")
    ends = {"low": wilson(positives, size, -z), "high": wilson(positives, size, z)}
    ends["gap"] = formula("positives - mean_score")
    return exp.select(*as_given(own), *_RELIABILITY).from_(inside(extended(shares, ends)), copy=False)


def calibration(scores: Scores, dialect: Dialect) -> exp.Select:
    """How far from calibrated scores are, and how likely so by chance: one row a key, in one scan.

    `ece` is that of `performance`. Two tests are of labels that are each a draw with its score as probability:

    - `z` is Spiegelhalter's (Statistics in Medicine 5, 1986): Σ (y-p)(1-2p) over the root of Σ (1-2p)² p (1-p), with
      the two-sided `z_p`. It sees scores that are too sure or not sure enough; scores that are too high on both sides
      of ½ can cancel out in it.
    - `chi2` is Hosmer and Lemeshow's (Communications in Statistics A 9, 1980) of the bins of `ece`: the sum of
      (Σ(y-p))² / Σ p(1-p) over the bins in which Σ p(1-p) is 5 or more, `df` of them, with `chi2_p`. It sees what all
      scores of a bin have in common.

    `p` is Bonferroni's of both: twice the smaller, at most 1. The rows are to be others than those that the model or
    its calibration was fitted to. Of many rows any small error is certain: look at `ece`, too.

    Args:
        scores: The rows, with probabilities as scores. Weights are taken as given: variances have w².
        dialect: Whose SQL it is.

    Returns:
        A query of the keys; `rows` and `df`, BIGINT; the others DOUBLE. A statistic without variance is NULL, with its
        p-value.

    Raises:
        UnknownNameError: The dialect is neither of the two.
        InvalidRequestError: A key has the name of a column, or labels are no outcomes.
    """
    _only_outcomes(scores)
    check_keys(scores.keys, frozenset(_TEST))
    own = own_names(scores.keys)
    # The scores of a bin beyond 0 to 1 are no probabilities, and have a variance below 0.
    of_bin = {"miscalibrated": "ABS(wy - wp)", "tested": "CASE WHEN w2p - w2p2 >= 5e0 THEN 1 END"}
    tiles = extended(grouped(counted(scores, dialect), scores, binned(CALIBRATION_BINS), "bin"), of_bin)
    summed = {
        "rows": "CAST(SUM(n) AS BIGINT)",
        "ece": "SUM(miscalibrated) / SUM(w)",
        "z": "SUM(spiegelhalter) / SQRT(NULLIF(GREATEST(SUM(spiegelhalter_var), 0e0), 0e0))",
        "chi2": "SUM(CASE WHEN tested = 1 THEN (wy - wp) * (wy - wp) / NULLIF(w2p - w2p2, 0e0) END)",
        "df": "CAST(COUNT(tested) AS BIGINT)",
    }
    sums = extended(totals(tiles, [*own, "label_is"], summed), {"size": "ABS(z)"})
    tail = norm_sf(exp.column("size"), dialect)
    tested = extended(
        sums,
        {
            "z_p": formula("CASE WHEN NOT z IS NULL THEN LEAST(1e0, 2e0 * :tail) END", tail=tail),
            "chi2_p": chi2_sf(exp.column("chi2"), exp.column("df"), dialect),
        },
    )
    # LEAST passes over NULL; of NULLs alone it is NULL.
    p = "LEAST(2e0 * LEAST(z_p, chi2_p), CASE WHEN NOT COALESCE(z_p, chi2_p) IS NULL THEN 1e0 END)"
    return exp.select(*as_given(own), *_TEST[:-1], *named({"p": p})).from_(inside(tested), copy=False)


def calibration_points(scores: Scores, dialect: Dialect, *, bins: int | None = 1000) -> exp.Select:
    """What a calibration is fitted to: one row a key and bin of scores, from one scan.

    Args:
        scores: The rows, with probabilities as scores.
        dialect: Whose SQL it is.
        bins: How many bins of one width there are from 0 to 1; None makes a bin of each score.

    Returns:
        A query of the keys, `score` (the mean score of the bin), `label` (the share of positives) and `weight`.

    Raises:
        UnknownNameError: The dialect is neither of the two.
        InvalidRequestError: There are no bins, or a key has the name of a column.
    """
    check_keys(scores.keys, frozenset({"score", "label", "weight"}))
    if bins is not None:
        check_bins(bins)
    own = own_names(scores.keys)
    tiles = grouped(counted(scores, dialect), scores, exp.column("p") if bins is None else binned(bins), "place")
    means = named({"score": "place" if bins is None else "wp / w", "label": "wy / w", "weight": "w"})
    return exp.select(*as_given(own), *means).from_(inside(tiles), copy=False)


def isotonic_knots(
    score: Sequence[float], label: Sequence[float], weight: Sequence[float]
) -> list[tuple[float, float]]:
    """The isotonic calibration of rows, as points of a line: the nearest rising function, by least squares.

    scikit-learn's `IsotonicRegression` fits it, here in Python, to `calibration_points` of one key: as many rows as
    there are bins. With a bin for each score it is the fit of the rows themselves.

    Args:
        score: The scores of the points.
        label: Their shares of positives.
        weight: Their weights.

    Returns:
        Scores that rise, each with its calibrated probability; between two of them it is on the line.

    Raises:
        InvalidRequestError: There are no points.

    Example:
        >>> isotonic_knots([0.1, 0.4, 0.6, 0.9], [0.0, 0.5, 0.5, 1.0], [10, 10, 10, 10])
        [(0.1, 0.0), (0.4, 0.5), (0.6, 0.5), (0.9, 1.0)]
    """
    from sklearn.isotonic import IsotonicRegression

    if not len(score):
        raise InvalidRequestError("there is nothing to calibrate by", where="score", fix="choose rows that have labels")
    fit = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(score, label, weight)
    return list(zip(fit.X_thresholds_.tolist(), fit.y_thresholds_.tolist(), strict=True))


def knots_sql(knots: Sequence[tuple[float, float]], dialect: Dialect) -> str:
    """The query whose rows are these knots, with columns `x` and `y`: what a table of them is made of.

    Example:
        >>> knots_sql([(0.1, 0.0)], "duckdb")
        'SELECT * FROM (VALUES (0.1e0, 0.0e0)) AS knots(x, y)'
    """
    rows = exp.values([(double(x), double(y)) for x, y in knots], alias="knots", columns=["x", "y"])
    return exp.select("*").from_(rows).sql(dialect)


def calibrated_scores(
    relation: str | exp.Query, knots: Curve, dialect: Dialect, *, score: str = "score", name: str = "calibrated"
) -> exp.Select:
    """The rows of a relation with their scores calibrated by stored knots, as scikit-learn's `predict` does.

    Args:
        relation: A query, or the name of a table as the dialect writes it.
        knots: The table of knots; `by` tells those of models or segments apart.
        dialect: Whose SQL it is.
        score: The column of scores.
        name: The new column, which the relation does not have.

    Raises:
        UnknownNameError: The dialect is neither of the two.
    """
    return looked_up(relation, score, knots, dialect, name=name)


def _only_outcomes(scores: Scores) -> None:
    if scores.label_is != OUTCOME:
        raise InvalidRequestError(
            f"calibration is asked of labels that are a {scores.label_is}",
            where="label_is",
            fix="take the rows whose labels are known",
        )
