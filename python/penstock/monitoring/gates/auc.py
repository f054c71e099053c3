"""The area under the ROC curve, exactly: how often a row of label 1 has the higher score than one of label 0."""

from __future__ import annotations

from sqlglot import exp

from penstock.dialects import Dialect
from penstock.monitoring.gates.paired import Scored
from penstock.monitoring.words import column, formula, known_dialect, source

# Scores are ordered within ranges of a thousandth, and the ranges among themselves: no one worker has to sort all rows.
_RANGE = "CAST(FLOOR(LEAST(1e0, GREATEST(0e0, score)) * 1e3) AS INT)"


def areas(scored: Scored, dialect: Dialect) -> exp.Select:
    """The areas of champion and challenger over the rows that have a label and a score of both, from one scan.

    Equal to `sklearn.metrics.roc_auc_score`: equal scores of different labels count half.

    Args:
        scored: The rows; scores are probabilities.
        dialect: Whose SQL it is.

    Returns:
        A query of one row: `champion_auc` and `challenger_auc`, DOUBLE; NULL where all labels are equal, and that of a
        champion that there is not.

    Raises:
        UnknownNameError: The dialect is neither of the two.

    Example:
        >>> import duckdb, sqlglot
        >>> rows = "SELECT * FROM (VALUES (1, 0.6, 0.8), (0, 0.6, 0.1), (1, 0.4, 0.7)) AS t (y, old, new)"
        >>> scored = Scored(sqlglot.parse_one(rows), label="y", champion="old", challenger="new")
        >>> duckdb.sql(areas(scored, "duckdb").sql("duckdb")).fetchall()
        [(0.25, 1.0)]
    """
    known_dialect(dialect)
    names = ["challenger"] if scored.champion is None else ["champion", "challenger"]
    given = {
        "label": formula("CAST(:label AS DOUBLE)", label=column(scored.label)),
        "challenger": formula("CAST(:score AS DOUBLE)", score=column(scored.challenger)),
    }
    if scored.champion is not None:
        given["champion"] = formula("CAST(:score AS DOUBLE)", score=column(scored.champion))
    whole = " AND ".join(f"NOT {name} IS NULL AND NOT ISNAN({name})" for name in given)
    rows = exp.select(*(exp.alias_(value, name) for name, value in given.items()))
    rows = exp.select("*").from_(rows.from_(source(scored.relation, dialect)).subquery("given")).where(whole)
    score = (
        formula("CASE WHEN which = 'champion' THEN champion ELSE challenger END") if len(names) > 1 else "challenger"
    )
    each = exp.values([(name,) for name in names], alias="both_of_them", columns=["which"])
    scores = exp.select("which", "label", exp.alias_(score, "score")).from_("given").join(each, join_type="cross")
    of_one = "SUM(CASE WHEN which = '{0}' THEN {1} END)"
    area = f"{of_one.format('{0}', 'won')} / NULLIF({of_one.format('{0}', 'pairs')}, 0e0) AS {{0}}_auc"
    return (
        exp.select(*(formula(area.format(name)) for name in ("champion", "challenger")))
        .with_("given", rows)
        .with_("scores", scores)
        .with_("places", formula(_PLACES))
        .with_("below", formula(_BELOW))
        .with_("ranges", formula(_RANGES))
        .with_("offsets", formula(_OFFSETS))
        .with_("totals", formula(_TOTALS))
        .from_("totals")
    )


_PLACES = f"""
SELECT which, {_RANGE} AS part, score, SUM(label) AS ones, SUM(1e0 - label) AS zeros
FROM scores GROUP BY which, {_RANGE}, score
"""
_BELOW = """
SELECT *, SUM(zeros) OVER (PARTITION BY which, part ORDER BY score) - zeros AS fewer FROM places
"""
_RANGES = """
SELECT which, part, SUM(ones) AS ones, SUM(zeros) AS zeros, SUM(ones * (fewer + zeros / 2e0)) AS won
FROM below GROUP BY which, part
"""
_OFFSETS = """
SELECT *, SUM(zeros) OVER (PARTITION BY which ORDER BY part) - zeros AS fewer FROM ranges
"""
_TOTALS = """
SELECT which, SUM(won + ones * fewer) AS won, SUM(ones) * SUM(zeros) AS pairs FROM offsets GROUP BY which
"""
