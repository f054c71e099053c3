"""McNemar's test: of two classifiers on the same rows, is one right more often than the other?

Rows that both have right, or both wrong, say nothing of it. Of the others each is one or the other's with probability
½ if the two are equally good (McNemar, Psychometrika 12, 1947).
"""

from __future__ import annotations

import math

from sqlglot import exp

from penstock.dialects import Dialect
from penstock.monitoring.tails import chi2_sf, log_gamma
from penstock.monitoring.words import formula, numbers_to, total

_EXACT_UP_TO = 1000  # above it the approximation is right to a thousandth, and the exact sum is long


def mcnemar_p(better: exp.Expr, worse: exp.Expr, dialect: Dialect) -> exp.Expr:
    """The two-sided p-value: of the binomial distribution up to 1,000 differing rows, of chi-squared beyond.

    Equal to `statsmodels.stats.contingency_tables.mcnemar` with `exact=True`, and from there on with `exact=False,
    correction=False`.

    Args:
        better: A column: how many rows the one has right and the other wrong.
        worse: The same the other way round.
        dialect: Whose SQL it is.

    Returns:
        DOUBLE; 1 where no row differs, NULL where a count is.
    """
    n, least = formula(":b + :c", b=better, c=worse), formula("LEAST(:b, :c)", b=better, c=worse)
    # The list is 1, 2, … and the counts are 0, 1, …: Γ(n+1) / (Γ(k) Γ(n-k+2)) for k one above the count.
    term = formula(
        "EXP(:all - :one - :other - :n * :ln2)",
        all=log_gamma(formula("CAST(:n AS DOUBLE) + 1e0", n=n)),
        one=log_gamma(formula("CAST(k AS DOUBLE)")),
        other=log_gamma(formula("CAST(:n - k AS DOUBLE) + 2e0", n=n)),
        n=n, ln2=math.log(2),
    )  # fmt: skip
    exact = formula(
        "LEAST(1e0, 2e0 * :sum)", sum=total(numbers_to(formula(":l + 1", l=least), dialect), "k", term, dialect)
    )
    statistic = formula(
        "CAST((:b - :c) AS DOUBLE) * CAST((:b - :c) AS DOUBLE) / NULLIF(CAST(:n AS DOUBLE), 0e0)",
        b=better,
        c=worse,
        n=n,
    )
    return formula(
        "CASE WHEN :n <= :few THEN :exact ELSE :chi2 END",
        n=n, few=_EXACT_UP_TO, exact=exact, chi2=chi2_sf(statistic, exp.Literal.number(1), dialect),
    )  # fmt: skip
