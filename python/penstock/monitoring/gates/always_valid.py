"""Tests of a mean that stay right however often, and whenever, somebody looks: as rows come in, and until it suits.

A p-value of a fixed number of rows is below 0.05 in one case of twenty if it is looked at once, and in three of ten if
it is looked at thirty times. Those here are below alpha in a share alpha of all cases at most, at all looks together.

The evidence is the mixture likelihood ratio of a normal mean (Johari, Koomen, Pekelis and Walsh, "Peeking at A/B
tests", KDD 2017), its mixture as wide as the rows themselves times rho: the asymptotic confidence sequences of
Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, arXiv 2103.06476, equations 9, 155 and 161. "Asymptotic": of many rows.
"""

from __future__ import annotations

import math

from sqlglot import exp

from penstock.dialects import double
from penstock.errors import InvalidRequestError
from penstock.monitoring.words import formula

TUNED_FOR = 5000
"""At how many rows the bounds are narrowest unless it is said; they are valid at any number."""


def always_valid_p(estimate: exp.Expr, se: exp.Expr, n: exp.Expr, *, alpha: float, tuned_for: int) -> exp.Expr:
    """The two-sided p-value of a mean against 0, at any number of rows.

    Args:
        estimate: The mean, DOUBLE.
        se: Its standard error, DOUBLE.
        n: How many rows it is of.
        alpha: The level for which it is tuned.
        tuned_for: The number of rows for which it is tuned.

    Returns:
        DOUBLE, 1 at most; NULL where the standard error is. Without any variance it is 1 for a mean of 0, else 0.

    Raises:
        InvalidRequestError: alpha is not between 0 and 1, or it is tuned for no rows.

    Example:
        >>> import duckdb
        >>> p = always_valid_p(double(0.0427), double(0.0273), double(4000), alpha=0.05, tuned_for=5000)
        >>> [(value,)] = duckdb.sql(f"SELECT {p.sql('duckdb')}").fetchall()
        >>> round(value, 3)
        0.942
    """
    mixed = formula("CAST(:n AS DOUBLE) * :rho2", n=n, rho2=_rho2(alpha, tuned_for))
    # Not the ratio itself, which a mean far from 0 would let overflow.
    certain = formula(
        "LEAST(1e0, SQRT(1e0 + :m) * EXP(-5e-1 * :m / (1e0 + :m) * (:d / :se) * (:d / :se)))",
        m=mixed,
        d=estimate,
        se=se,
    )
    return formula(
        "CASE WHEN :se > 0e0 THEN :p WHEN :se = 0e0 THEN CASE WHEN :d = 0e0 THEN 1e0 ELSE 0e0 END END",
        se=se, d=estimate, p=certain,
    )  # fmt: skip


def always_valid_width(se: exp.Expr, n: exp.Expr, *, alpha: float, tuned_for: int) -> exp.Expr:
    """Half the width of the interval that covers a mean at all numbers of rows at once, with probability 1 - alpha.

    Args:
        se: The standard error of the mean, DOUBLE.
        n: How many rows it is of.
        alpha: The share of cases in which the interval ever misses the mean.
        tuned_for: The number of rows at which it is narrowest.

    Returns:
        DOUBLE, in the unit of the mean; NULL where the standard error is.

    Raises:
        InvalidRequestError: alpha is not between 0 and 1, or it is tuned for no rows.
    """
    mixed = formula("CAST(:n AS DOUBLE) * :rho2", n=n, rho2=_rho2(alpha, tuned_for))
    return formula(
        ":se * SQRT(2e0 * (:m + 1e0) / NULLIF(:m, 0e0) * (LN(:m + 1e0) / 2e0 - :log_alpha))",
        se=se, m=mixed, log_alpha=math.log(alpha),
    )  # fmt: skip


def _rho2(alpha: float, tuned_for: int) -> exp.Expr:
    if not 0 < alpha < 1:
        raise InvalidRequestError(f"alpha is {alpha}", where="alpha", fix="a share of cases, as 0.05")
    if tuned_for < 1:
        raise InvalidRequestError(f"tuned_for is {tuned_for}", where="tuned_for", fix="a number of rows from 1 on")
    return double((-2 * math.log(alpha) + math.log(1 - 2 * math.log(alpha))) / tuned_for)
