"""How far probabilities are from the shares that come true."""

from __future__ import annotations

from functools import reduce

from sqlglot import exp

from penstock.monitoring.performance.metrics import CALIBRATION_BINS
from penstock.monitoring.words import formula


def expected_calibration_error(label: exp.Expr, score: exp.Expr) -> exp.Expr:
    """The expected calibration error over ten bins of equal width, as an aggregate over rows.

    In each bin the distance of the mean probability and the share of label 1, weighted by the bin's rows (Naeini,
    Cooper and Hauskrecht, AAAI 2015): Σ n_b/n |ȳ_b - p̄_b|, which is Σ |Σ (p - y)| / n.

    It is the `ece` of `calibration`, which has a scan of its own, beside other aggregates of one scan.

    Args:
        label: A column of 0 or 1, DOUBLE; NULL where the row does not count.
        score: A column of probabilities, DOUBLE; NULL where the row does not count.

    Returns:
        DOUBLE from 0 to 1; NULL over no rows.

    Example:
        >>> import duckdb
        >>> error = expected_calibration_error(exp.column("y"), exp.column("p")).sql("duckdb")
        >>> duckdb.sql(f"SELECT ROUND({error}, 3) FROM (VALUES (1e0, 0.9e0), (0e0, 0.2e0)) AS t (y, p)").fetchall()
        [(0.15,)]
    """
    place = formula(f"LEAST({CALIBRATION_BINS - 1}, GREATEST(0, CAST(FLOOR(:p * {CALIBRATION_BINS}) AS INT)))", p=score)
    in_bin = "ABS(COALESCE(SUM(CASE WHEN :place = {} THEN :p - :y END), 0e0))"
    bins = [formula(in_bin.format(at), place=place, p=score, y=label) for at in range(CALIBRATION_BINS)]
    total = reduce(lambda one, other: formula(":one + :other", one=one, other=other), bins)
    return formula(":total / NULLIF(CAST(COUNT(:p - :y) AS DOUBLE), 0e0)", total=total, p=score, y=label)
