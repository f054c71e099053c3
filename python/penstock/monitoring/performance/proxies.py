"""Which features stand for a protected column: how well each tells it, from one table of counts for all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlglot import exp

from penstock.dialects import Dialect, call, double
from penstock.errors import InvalidRequestError
from penstock.monitoring.discovery import adjusted
from penstock.monitoring.performance.scores import check_keys
from penstock.monitoring.tails import chi2_sf
from penstock.monitoring.words import column, extended, formula, inside, known_dialect, named, source, totals, window

_ANSWER = (
    "feature", "rows", "bins", "groups", "cramers_v", "uncertainty", "chi2", "df", "p", "p_adjusted",
)  # fmt: skip
_EDGES, _FEATURE = "__edges_", "__feature"


def proxies(
    relation: str | exp.Query,
    protected: str,
    dialect: Dialect,
    *,
    texts: Sequence[str] = (),
    numbers: Sequence[str] = (),
    bins: int = 10,
) -> exp.Select:
    """How well each feature tells a protected column that the model may not have: one row a feature.

    Each feature makes a table of counts, its bins by the groups of the protected column. Of that:

    - `cramers_v`: Cramér's V, 0 where the feature tells nothing to 1 where it tells the group, corrected for what a
      table of its size shows by chance (Bergsma, Journal of the Korean Statistical Society 42, 2013).
    - `uncertainty`: Theil's coefficient, the mutual information over the entropy of the groups: the share of what there
      is to know about the group that the feature tells (Theil, American Journal of Sociology 76, 1970).
    - `chi2`, `df`, `p` and `p_adjusted`: Pearson's test that it tells nothing; adjusted over the features by Benjamini
      and Hochberg. Of many rows any small relation is certain: look at `cramers_v`.

    A feature tells by itself here; several that tell little may tell all together.

    Args:
        relation: A query, or the name of a table as the dialect writes it.
        protected: The column of groups. Rows without one are left out.
        dialect: Whose SQL it is.
        texts: Features, each value of which is a bin; numbers with few values may be among them.
        numbers: Features that are cut at their quantiles, which takes one more scan. NULL is a bin of either.
        bins: How many bins of as many rows each a number is cut into.

    Returns:
        A query of `feature`; `rows`, `bins`, `groups` and `df`, BIGINT; the others DOUBLE, NULL where a feature or the
        protected column has one value only.

    Raises:
        UnknownNameError: The dialect is neither of the two.
        InvalidRequestError: There are no features, one is named twice or is the protected column, or bins are below 2.

    Example:
        >>> proxies("applicants", "sex", "spark", texts=["town"], numbers=["income"]).named_selects[:2]
        ['feature', 'rows']
    """
    known_dialect(dialect)
    if not texts and not numbers:
        raise InvalidRequestError("there are no features", where="texts, numbers", fix="name at least one")
    if bins < 2:
        raise InvalidRequestError(f"there are {bins} bins", where="bins", fix="give a number of 2 or more")
    check_keys([protected, *texts, *numbers], frozenset())
    values = {name: exp.cast(column(name), "text") for name in texts}
    values |= {name: exp.cast(_bin(at, name, dialect), "text") for at, name in enumerate(numbers)}
    rows = exp.select("*").from_(exp.alias_(source(relation, dialect), "given_rows", table=True), copy=False)
    if numbers:
        rows = rows.join(_edges(relation, numbers, bins, dialect).subquery("edges"), join_type="cross", copy=False)
    cells = totals(_one_a_feature(rows, protected, values), ["feature", "bin", "grp"], {"n": "COUNT(*)"})
    sums = extended(
        cells,
        {
            "of_bin": window("SUM(n)", ["feature", "bin"]),
            "of_group": window("SUM(n)", ["feature", "grp"]),
            "of_all": window("SUM(n)", ["feature"]),
        },
    )
    expected = extended(sums, {"e": "of_bin * (CAST(of_group AS DOUBLE) / of_all)", "q": "CAST(n AS DOUBLE) / of_all"})
    told = totals(expected, ["feature"], _OF_FEATURE)
    tested = extended(
        extended(told, _SIZES), {"p": chi2_sf(exp.column("chi2"), exp.column("df"), dialect), **_MEASURES}
    )
    return exp.select(*_ANSWER).from_(inside(adjusted(tested, dialect, p="p")), copy=False)


_OF_FEATURE = {
    "rows": "CAST(SUM(n) AS BIGINT)",
    "bins": "CAST(COUNT(DISTINCT bin) AS BIGINT)",
    "groups": "CAST(COUNT(DISTINCT grp) AS BIGINT)",
    # A cell without rows is not there, and adds what is expected of it.
    "squares": "SUM((n - e) * (n - e) / e) + GREATEST(SUM(n) - SUM(e), 0e0)",
    "information": "SUM(q * LN(n / e))",
    "entropy": "-SUM(q * LN(CAST(of_group AS DOUBLE) / of_all))",
}
_SIZES = {
    "df": "(bins - 1) * (groups - 1)",
    "chi2": "CASE WHEN bins > 1 AND groups > 1 THEN squares END",
    "by_chance": "CAST((bins - 1) * (groups - 1) AS DOUBLE) / NULLIF(rows - 1, 0)",
    "free_bins": "bins - 1 - (bins - 1) * CAST(bins - 1 AS DOUBLE) / NULLIF(rows - 1, 0)",
    "free_groups": "groups - 1 - (groups - 1) * CAST(groups - 1 AS DOUBLE) / NULLIF(rows - 1, 0)",
}
_MEASURES: dict[str, exp.Expr | str] = {
    "cramers_v": """
        CASE WHEN NOT chi2 IS NULL AND LEAST(free_bins, free_groups) > 0e0 THEN
          LEAST(1e0, SQRT(GREATEST(chi2 / rows - by_chance, 0e0) / NULLIF(LEAST(free_bins, free_groups), 0e0))) END
    """,
    "uncertainty": """
        CASE WHEN NOT chi2 IS NULL THEN LEAST(1e0, GREATEST(information, 0e0) / NULLIF(entropy, 0e0)) END
    """,
}


def _one_a_feature(rows: exp.Select, protected: str, values: Mapping[str, exp.Expr]) -> exp.Select:
    """Each row once a feature, with its bin, of which NULL is one, and its group."""
    names = exp.values([(name,) for name in values], alias="features", columns=[_FEATURE])
    value = exp.Case(
        this=column(_FEATURE), ifs=[exp.If(this=exp.Literal.string(name), true=each) for name, each in values.items()]
    )
    binned = formula("CASE WHEN :value IS NULL THEN 'NULL' ELSE CONCAT('=', :value) END", value=value)
    columns = {"feature": column(_FEATURE), "bin": binned, "grp": exp.cast(column(protected), "text")}
    known = formula("NOT :protected IS NULL", protected=column(protected))
    each = exp.select(*named(columns)).from_(inside(rows), copy=False).join(names, join_type="cross", copy=False)
    return each.where(known, copy=False)


def _edges(relation: str | exp.Query, numbers: Sequence[str], bins: int, dialect: Dialect) -> exp.Select:
    """The list of the inner quantiles of each number, exact on either engine."""
    shares = exp.Array(expressions=[double(at / bins) for at in range(1, bins)])
    quantile = "PERCENTILE" if dialect == "spark" else "QUANTILE_CONT"
    lists = {
        f"{_EDGES}{at}": call(quantile, exp.cast(column(name), "double"), shares) for at, name in enumerate(numbers)
    }
    return exp.select(*named(lists)).from_(source(relation, dialect), copy=False)


def _bin(at: int, name: str, dialect: Dialect) -> exp.Expr:
    """How many edges are below the number; NULL of NULL."""
    number = exp.cast(column(name), "double")
    below = exp.Lambda(this=exp.LT(this=exp.column("edge"), expression=number), expressions=[exp.to_identifier("edge")])
    edges = column(f"{_EDGES}{at}")
    if dialect == "duckdb":
        count = call("LEN", call("LIST_FILTER", edges, below))
    else:
        count = call("SIZE", call("FILTER", edges, below))
    return formula("CASE WHEN NOT :number IS NULL THEN :count END", number=number, count=count)
