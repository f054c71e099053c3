"""P-values of many features at once: adjusted, so that the share of false alarms among the alarms is held."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from penstock.dialects import Dialect
from penstock.monitoring.words import column, formula, known_dialect, source, window

_OWN = ("__p", "__scaled")  # columns on the way


def adjusted(
    relation: str | exp.Query,
    dialect: Dialect,
    *,
    p: str = "chi2_p",
    by: Sequence[str] = (),
    name: str = "p_adjusted",
) -> exp.Select:
    """The rows of a relation and their p-values adjusted by Benjamini and Hochberg (J. R. Statist. Soc. B 57, 1995).

    Whoever takes the rows with an adjusted value of at most 0.05 has 5 % of false alarms among them at most, on
    average, where the tests are independent or positively dependent. Equal to `scipy.stats.false_discovery_control`.

    Args:
        relation: A query, or the name of a table as the dialect writes it.
        dialect: Whose SQL it is.
        p: The column of p-values, from 0 to 1. NULL is no test: it is not counted and stays NULL.
        by: The columns by which the tests fall into families of their own; one family if there are none.
        name: The new column, which the relation does not have.

    Returns:
        A query of all columns of the relation and the new one, DOUBLE from 0 to 1.

    Raises:
        UnknownNameError: The dialect is neither of the two.

    Example:
        >>> print(adjusted("drifts", "spark", by=["day"]).sql("spark")[:40])
        SELECT * EXCEPT (__p, __scaled), CASE WH
    """
    known_dialect(dialect)
    value, scaled = _OWN
    given = exp.select("*", exp.alias_(exp.cast(column(p), "double"), value)).from_(source(relation, dialect))
    up = exp.Ordered(this=column(value), nulls_first=True)
    down = exp.Ordered(this=column(value), desc=True, nulls_first=False)
    # The rank of a value is how many are as small, so that equal ones stay equal. A NULL has 0 of them.
    ranked = exp.select(
        "*",
        exp.alias_(
            formula(
                "__p * CAST(:tests AS DOUBLE) / NULLIF(CAST(:rank AS DOUBLE), 0e0)",
                tests=window("COUNT(__p)", by),
                rank=window("COUNT(__p)", by, up),
            ),
            scaled,
        ),
    ).from_(given.subquery("given"))
    least = formula("CASE WHEN NOT __p IS NULL THEN LEAST(1e0, :least) END", least=window("MIN(__scaled)", by, down))
    star = exp.Star(except_=[exp.to_identifier(own) for own in _OWN])
    return exp.select(star, exp.alias_(least, name, quoted=True)).from_(ranked.subquery("ranked"))
