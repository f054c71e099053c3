"""What comes of a check of behaviour, as one query over scored rows: the same for data tests and for gates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlglot import exp

from penstock.dialects import Dialect, double
from penstock.errors import InvalidRequestError
from penstock.monitoring.behaviour.definition import ASYMMETRIC, HIGHER, Check, Mistakes, Movement, Tail, parsed
from penstock.monitoring.performance.answers import quantile, wilson
from penstock.monitoring.words import column, extended, formula, inside, known_dialect, source, totals

COLUMNS = ("name", "kind", "value", "low", "high", "bound", "rest", "rows", "unjudged", "passed")
"""The columns of the answer."""
_NUMBER = "CASE WHEN NOT ISNAN(CAST(:value AS DOUBLE)) THEN CAST(:value AS DOUBLE) END"
_ABSENT = exp.cast(exp.null(), "double")


@dataclass(frozen=True)
class Scored:
    """Rows with scores.

    Attributes:
        relation: A query, or the name of a table as the dialect writes it, with the columns that the check names.
        score: The score of each row, over its columns: a number, or a class.
        second: The score of its second form, for checks that change rows.
        is_changed: Whether the second form is another one; such rows count.
        label: What came true.
        threshold: From which score on the answer is 1; None: the score is the answer.
        distances: For mistakes among classes, a relation of `predicted`, `actual` and `distance`.
    """

    relation: str | exp.Query
    score: exp.Expr
    second: exp.Expr | None = None
    is_changed: exp.Expr = field(default_factory=exp.true)
    label: exp.Expr | None = None
    threshold: float | None = None
    distances: str | exp.Query | None = None


def judged(check: Check, scored: Scored, dialect: Dialect, *, confidence: float = 0.95) -> exp.Select:
    """The query of one row: what a check finds, what is asked for, and whether that is met.

    - `value` is the share of rows that behave otherwise, the mean distance of mistakes, or the metric over the tail;
      `low` and `high` are its interval: Wilson's of a share, of a mean that of the normal distribution.
    - `bound` is what it is compared with, `rest` the metric over rows that are not in the tail.
    - `rows` counts the rows, or pairs, that were looked at, and `unjudged` those that could not be judged: a second
      form without a score, a pair that is not two rows with scores, a mistake of no known distance.
    - `passed` says that the bound is kept, that no row is unjudged, and that there are rows enough.

    Rows without a score count nowhere, nor do those without a label where a label is needed. Where no answer is wrong,
    the distance of mistakes has no value, and passes.

    Args:
        check: What is asked for.
        scored: The rows.
        dialect: Whose SQL it is.
        confidence: Of the interval.

    Raises:
        UnknownNameError: The dialect is neither of the two.
        InvalidRequestError: There is no label, and the check needs one.

    Example:
        >>> import duckdb, sqlglot
        >>> from penstock.monitoring.behaviour.definition import check_of
        >>> asked = {"pair": "twin", "within": 0.1, "max_share": 0.5}
        >>> check = check_of("symmetric_pairs", asked, where="here")
        >>> rows = "SELECT * FROM (VALUES (1, 0.2), (1, 0.25), (2, 0.5), (2, 0.9)) AS t (twin, p)"
        >>> query = judged(check, Scored(sqlglot.parse_one(rows), exp.column("p")), "duckdb").sql("duckdb")
        >>> duckdb.sql(f"SELECT value, rows, unjudged, passed FROM ({query})").fetchall()
        [(0.5, 2, 0, True)]
    """
    known_dialect(dialect)
    z = quantile(confidence)
    if isinstance(check, Movement):
        sums, bound = _summed(_movements(check, scored, dialect)), check.max_share
    elif isinstance(check, Mistakes):
        sums, bound = _summed(_mistakes(check, scored, dialect)), check.at_most
    else:
        assert isinstance(check, Tail)
        sums, bound = _tail(check, scored, dialect), check.at_least
    ends = {name: _end(check, sign * z) for name, sign in (("low", -1.0), ("high", 1.0))}
    told = extended(
        extended(sums, ends),
        {
            "name": exp.Literal.string(check.name),
            "kind": exp.Literal.string(check.kind),
            "bound": double(bound),
            "passed": _passed(check, bound),
        },
    )
    return exp.select(*COLUMNS).from_(inside(told), copy=False)


def changed(relation: str | exp.Query, change: Mapping[str, exp.Expr], score: exp.Expr, dialect: Dialect) -> exp.Select:
    """Rows with `__score` and, of the same score over changed inputs, `__second`, and whether a row `__changed`.

    The inputs are changed under their own names, so that a score that takes columns by their names takes the changed
    ones.

    Args:
        relation: A query, or the name of a table as the dialect writes it.
        change: What inputs are changed to.
        score: The score of each row, over its columns.
        dialect: Whose SQL it is.
    """
    first = exp.select("*", exp.alias_(score, "__score")).from_(source(relation, dialect))
    names = [exp.to_identifier(name, quoted=True) for name in change]
    other = exp.alias_(is_changed(change), "__changed")
    new = [exp.alias_(value.copy(), name, quoted=True) for name, value in change.items()]
    second = exp.select(exp.Star(except_=names), *new, other).from_(inside(first))
    return exp.select("*", exp.alias_(score.copy(), "__second")).from_(inside(second))


def is_changed(change: Mapping[str, exp.Expr]) -> exp.Expr:
    """Whether a change gives a row other inputs."""
    return exp.or_(
        *(exp.not_(exp.NullSafeEQ(this=column(name), expression=exp.paren(to.copy()))) for name, to in change.items())
    )


def _summed(outcomes: exp.Select) -> exp.Select:
    """The sums of rows that are looked at, each with `x`, NULL where nothing is measured, and `unjudged`, 1 or 0."""
    sums: dict[str, exp.Expr | str] = {
        "rows": "CAST(COUNT(*) AS BIGINT)",
        "unjudged": "CAST(COALESCE(SUM(unjudged), 0) AS BIGINT)",
        "value": "AVG(x)",
        "n": "CAST(COUNT(x) AS DOUBLE)",
        "spread": "STDDEV_SAMP(x)",
        "rest": _ABSENT,
    }
    return totals(outcomes, (), sums)


def _end(check: Check, z: float) -> exp.Expr:
    if isinstance(check, Mistakes):
        return formula("value + :z * spread / SQRT(n)", z=z)
    return formula("CASE WHEN n > 0e0 THEN :end END", end=wilson(exp.column("value"), exp.column("n"), z))


def _passed(check: Check, bound: float) -> exp.Expr:
    keeps = "value >= :bound" if isinstance(check, Tail) else "value <= :bound"
    text = f"COALESCE({keeps}, {'TRUE' if isinstance(check, Mistakes) else 'FALSE'}) AND unjudged = 0 AND rows >= :rows"
    passed = formula(text, bound=bound, rows=exp.Literal.number(check.min_rows))
    if isinstance(check, Tail) and check.max_gap is not None:
        # Without a row beside the tail there is no gap.
        return formula(":passed AND COALESCE(rest - value <= :gap, TRUE)", passed=passed, gap=check.max_gap)
    return passed


def _rows(check: Check, scored: Scored, columns: Mapping[str, exp.Expr], dialect: Dialect) -> exp.Select:
    """Columns of ours over the rows that the check looks at."""
    named = [exp.alias_(value.copy(), name) for name, value in columns.items()]
    query = exp.select(*named).from_(source(scored.relation, dialect))
    return query.where(parsed(check.where, f"{check.name}, where")) if check.where else query


def _movements(check: Movement, scored: Scored, dialect: Dialect) -> exp.Select:
    if check.pair:
        forms = _pairs(check, scored, dialect)
    else:
        assert scored.second is not None
        scores = {"first": scored.score, "second": scored.second}
        own = {name: _compared(check, score, scored.threshold) for name, score in scores.items()}
        forms = _rows(check, scored, {**own, "other": scored.is_changed}, dialect)
        forms = extended(forms, {"unjudged": "CASE WHEN second IS NULL THEN 1 ELSE 0 END"})
        forms = forms.where("other AND NOT first IS NULL")
    apart = formula("CASE WHEN unjudged = 0 THEN CASE WHEN :apart THEN 1e0 ELSE 0e0 END END", apart=_apart(check))
    return extended(forms, {"x": apart})


def _compared(check: Movement, score: exp.Expr, threshold: float | None) -> exp.Expr:
    """What two forms are compared by: their scores, or what these say."""
    if check.within is None and check.kind != ASYMMETRIC:
        return _answer(score, threshold)
    return formula(_NUMBER, value=score)


def _apart(check: Movement) -> exp.Expr:
    if check.kind == ASYMMETRIC:
        return formula(f"{'second - first' if check.expect == HIGHER else 'first - second'} < :by", by=check.by)
    return formula("first <> second" if check.within is None else "ABS(second - first) > :most", most=check.within or 0)


def _pairs(check: Movement, scored: Scored, dialect: Dialect) -> exp.Select:
    """One row a pair, with the scores of both; a symmetric pair's in their own order."""
    keys = {f"key_{at}": column(name) for at, name in enumerate(check.pair)}
    first = parsed(check.first, f"{check.name}, first") if check.first else exp.true()
    own = {**keys, "score": formula(_NUMBER, value=scored.score), "is_first": first}
    rows = _rows(check, scored, own, dialect)
    whole = "COUNT(*) = 2 AND COUNT(score) = 2"
    sides = {"first": "MIN(score)", "second": "MAX(score)"}
    if check.first:
        whole += " AND SUM(CASE WHEN is_first THEN 1 ELSE 0 END) = 1"
        sides = {
            "first": "MAX(CASE WHEN is_first THEN score END)",
            "second": "MAX(CASE WHEN NOT COALESCE(is_first, FALSE) THEN score END)",
        }
    known = exp.select("*").from_(inside(rows)).where(*(f"NOT {key} IS NULL" for key in keys))
    return totals(known, list(keys), {**sides, "unjudged": f"CASE WHEN {whole} THEN 0 ELSE 1 END"})


def _answer(score: exp.Expr, threshold: float | None) -> exp.Expr:
    """What a score says: 1 or 0 by a threshold, or itself."""
    if threshold is None:
        return score
    number = formula(_NUMBER, value=score)
    return formula(
        "CASE WHEN :score >= :threshold THEN 1e0 WHEN NOT :score IS NULL THEN 0e0 END",
        score=number,
        threshold=threshold,
    )


def _label(check: Check, scored: Scored) -> exp.Expr:
    if scored.label is None:
        raise InvalidRequestError(f"{check.kind} needs what came true", where=check.name, fix="label: its column")
    return scored.label if scored.threshold is None else formula(_NUMBER, value=scored.label)


def _mistakes(check: Mistakes, scored: Scored, dialect: Dialect) -> exp.Select:
    label = _label(check, scored)
    distance = formula("CAST(:score AS DOUBLE) - CAST(:label AS DOUBLE)", score=scored.score, label=label)
    distance = formula("ABS(:distance)", distance=distance)
    if check.distance:
        distance = exp.cast(parsed(check.distance, f"{check.name}, distance"), "double")
    if scored.distances is not None:
        distance = _ABSENT
    own = {"answer": _answer(scored.score, scored.threshold), "label": label, "own_distance": distance}
    rows = _rows(check, scored, own, dialect)
    known: exp.Select = exp.select("*").from_(inside(rows)).where("NOT answer IS NULL AND NOT label IS NULL")
    told: exp.Select = extended(known, {"distance": "own_distance"})
    if scored.distances is not None:
        given = exp.select("predicted", "actual", exp.alias_(formula("CAST(distance AS DOUBLE)"), "distance"))
        given = given.from_(source(scored.distances, dialect))
        told = exp.select("k.answer", "k.label", "d.distance").from_(known.subquery("k"))
        told = told.join(
            given.subquery("d"), on="d.predicted = k.answer AND d.actual = k.label", join_type="left", copy=False
        )
    return extended(
        told,
        {
            "x": "CASE WHEN answer <> label THEN distance END",
            "unjudged": "CASE WHEN answer <> label AND distance IS NULL THEN 1 ELSE 0 END",
        },
    )


def _tail(check: Tail, scored: Scored, dialect: Dialect) -> exp.Select:
    keys = {f"key_{at}": column(name) for at, name in enumerate(check.entity)}
    own = {**keys, "answer": _answer(scored.score, scored.threshold), "label": _label(check, scored)}
    rows = _rows(check, scored, own, dialect)
    known: exp.Select = exp.select("*").from_(inside(rows))
    known = known.where("NOT answer IS NULL AND NOT label IS NULL", *(f"NOT {key} IS NULL" for key in keys))
    among = {"accuracy": "TRUE", "recall": "label = 1", "precision": "answer = 1"}[check.metric]
    hit = f"CASE WHEN {among} THEN CASE WHEN answer = label THEN 1e0 ELSE 0e0 END END"
    # First by entity: sums of few rows tell the tail from the rest, and no row has to meet others again.
    by = {"size": "COUNT(*)", "counted": f"COUNT({hit})", "hits": f"COALESCE(SUM({hit}), 0e0)"}
    entities = totals(known, list(keys), by)
    tail = f"CASE WHEN size < {check.rare_below} THEN {{}} END"
    rest = f"CASE WHEN size >= {check.rare_below} THEN {{}} END"
    share = "SUM({}) / NULLIF(CAST(SUM({}) AS DOUBLE), 0e0)"
    sums = {
        "rows": f"CAST(COALESCE(SUM({tail.format('size')}), 0) AS BIGINT)",
        "unjudged": "CAST(0 AS BIGINT)",
        "value": share.format(tail.format("hits"), tail.format("counted")),
        "n": f"CAST(COALESCE(SUM({tail.format('counted')}), 0) AS DOUBLE)",
        "rest": share.format(rest.format("hits"), rest.format("counted")),
    }
    return totals(entities, (), sums)
