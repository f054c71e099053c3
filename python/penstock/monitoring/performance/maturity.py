"""Labels that have not all arrived: how many have by which age, and what each that has arrived stands for."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from penstock.dialects import Dialect
from penstock.errors import InvalidRequestError
from penstock.monitoring.performance.curves import Curve, looked_up
from penstock.monitoring.performance.scores import as_given, check_keys, own_names
from penstock.monitoring.words import column, extended, formula, inside, known_dialect, named, source, totals, window

_CURVE = ("age", "at_risk", "arrivals", "share", "standard_error")


def arrival_curve(
    relation: str | exp.Query,
    dialect: Dialect,
    *,
    age: str = "age",
    arrived: str = "arrived",
    by: Sequence[str] = (),
    step: float | None = None,
) -> exp.Select:
    """S(a): the share of labels that arrive by the age a, from rows some of which still wait for theirs.

    Kaplan and Meier's product over the ages at which labels arrived, S(a) = 1 - Π (1 - d/r) of the d that arrived then
    and the r that had not before (J. Am. Stat. Assoc. 53, 1958), as the exponential of a sum of logarithms; with
    Greenwood's standard error. A row that waits counts as long as it has waited.

    Where no message means no, as with clicks, take only rows that are mature and turned out positive: the others wait
    for nothing.

    Args:
        relation: A query, or the name of a table as the dialect writes it: one row a prediction.
        dialect: Whose SQL it is.
        age: The column of the prediction's age when its label arrived, or its age now if none has: a number, such as
            seconds. Below 0 it counts as 0, NULL not at all.
        arrived: The column that says whether the label has arrived, BOOLEAN.
        by: The columns of segments with a curve each.
        step: Ages are taken in steps of this length, so that the curve has few points: an arrival counts from the end
            of its step on. Each age is a point of its own without.

    Returns:
        A query of the segments and `age`, at which a label arrived; `at_risk` and `arrivals`, BIGINT; `share` S(age)
        and its `standard_error`, DOUBLE, which is NULL from where all have arrived.

    Raises:
        UnknownNameError: The dialect is neither of the two.
        InvalidRequestError: A segment has the name of a column, or the step is not above 0.
    """
    known_dialect(dialect)
    check_keys(by, frozenset(_CURVE))
    own = own_names(by)
    keys = list(own)
    given: dict[str, exp.Expr | str] = {
        **{name: column(key) for name, key in own.items()},
        "waited": formula("GREATEST(:age, 0e0)", age=exp.cast(column(age), "double")),
        "has_arrived": column(arrived),
    }
    rows = exp.select(*named(given)).from_(source(relation, dialect), copy=False)
    rows = rows.where(formula("NOT :age IS NULL", age=column(age)), copy=False)
    placed = extended(rows, {"age": _in_steps(step)})
    counts = {"arrivals": "CAST(COUNT(CASE WHEN has_arrived THEN 1 END) AS BIGINT)", "at_age": "COUNT(*)"}
    down = exp.Ordered(this=exp.column("age"), desc=True, nulls_first=False)
    waiting = extended(totals(placed, [*keys, "age"], counts), {"at_risk": window("SUM(at_age)", keys, down)})
    factors = extended(
        waiting,
        {
            "logarithm": "CASE WHEN arrivals < at_risk THEN LN(1e0 - arrivals / CAST(at_risk AS DOUBLE)) ELSE 0e0 END",
            "all_arrived": "CASE WHEN arrivals < at_risk THEN 0 ELSE 1 END",
            "greenwood": "arrivals / NULLIF(CAST(at_risk AS DOUBLE) * (at_risk - arrivals), 0e0)",
        },
    )
    up = exp.Ordered(this=exp.column("age"), nulls_first=True)
    summed = extended(
        factors,
        {
            "waiting": formula("EXP(:sum)", sum=window("SUM(logarithm)", keys, up)),
            "over": window("MAX(all_arrived)", keys, up),
            "variance": window("SUM(greenwood)", keys, up),
        },
    )
    answer = {
        "at_risk": "CAST(at_risk AS BIGINT)",
        "arrivals": "arrivals",
        "share": "CASE WHEN over = 1 THEN 1e0 ELSE 1e0 - waiting END",
        "standard_error": "CASE WHEN over = 0 THEN waiting * SQRT(variance) END",
    }
    return exp.select(*as_given(own), "age", *named(answer)).from_(inside(summed), copy=False).where("arrivals > 0")


def weighted(
    relation: str | exp.Query,
    curve: Curve,
    dialect: Dialect,
    *,
    age: str = "age",
    label: str = "label",
) -> exp.Select:
    """The rows of a relation with what their labels stand for while not all have arrived.

    Inverse probability of censoring weights (Robins and Rotnitzky, in AIDS Epidemiology, 1992): of the predictions of
    an age a the share S(a) has its label, so each of these stands for 1/S(a). That holds where a label arrives as late
    whatever it says, within a segment; make segments of what it depends on. Weights are right in the mean, and noisy
    where S(a) is small, which the standard errors of `performance` show. They take the curve as known.

    Args:
        relation: A query, or the name of a table as the dialect writes it.
        curve: The answer of `arrival_curve`: `Curve(relation, x="age", y="share")`, `by` its segments.
        dialect: Whose SQL it is.
        age: The column of the prediction's age now, in the curve's unit.
        label: The column of the label; NULL where none has arrived.

    Returns:
        A query of all columns and three, DOUBLE. `arrived_share`: S(age). `weight`: 1/S of a row with a label, NULL of
        others: for `Scores(weight="weight")`. `outcome`: label/S, and 0 for a row without a label: for
        `Scores(label="outcome", label_is="weighted_outcome")`, where no message means no. Both are NULL where S is 0 or
        not known: such a row counts nowhere.

    Raises:
        UnknownNameError: The dialect is neither of the two.
    """
    shared = looked_up(relation, age, curve, dialect, name="arrived_share", between="step")
    came = exp.cast(column(label), "double")
    share = "NULLIF(arrived_share, 0e0)"
    return extended(
        shared,
        {
            "weight": formula(f"CASE WHEN NOT :came IS NULL THEN 1e0 / {share} END", came=came),
            "outcome": formula(f"COALESCE(:came, 0e0) / {share}", came=came),
        },
    )


def _in_steps(step: float | None) -> exp.Expr:
    if step is None:
        return exp.column("waited")
    if step <= 0:
        raise InvalidRequestError(f"the step is {step}", where="step", fix="give a length above 0")
    return formula("CASE WHEN has_arrived THEN CEIL(waited / :step) ELSE FLOOR(waited / :step) END * :step", step=step)
