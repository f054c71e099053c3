"""Champion and challenger on the same rows: which one loses less, by how much, how surely, and in which slices.

Each row has a label and the score of both, so the difference of their losses is one number a row, and its mean needs no
second sample: what makes a row hard counts for both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp

from penstock.dialects import Dialect
from penstock.errors import InvalidRequestError
from penstock.monitoring.gates.always_valid import TUNED_FOR, always_valid_p, always_valid_width
from penstock.monitoring.gates.calibration_error import expected_calibration_error
from penstock.monitoring.gates.mcnemar import mcnemar_p
from penstock.monitoring.performance.losses import OF_PROBABILITIES, loss
from penstock.monitoring.tails import norm_sf
from penstock.monitoring.words import column, formula, known_dialect, source

COLUMNS = (
    "slice", "value", "compared", "unscored", "unfit", "champion_loss", "challenger_loss", "gain", "se", "z", "p",
    "always_valid_p", "gain_low", "gain_high", "better", "worse", "mcnemar_p", "champion_ece", "challenger_ece",
)  # fmt: skip
"""The columns of a comparison."""


@dataclass(frozen=True)
class Scored:
    """Rows with a label and two scores.

    Attributes:
        relation: A query, or the name of a table as the dialect writes it.
        label: The column of what came true; a row without it does not count.
        challenger: The column of the score of the version that may come.
        champion: The column of the score of the version that is there; None where there is none.
        probabilities: Whether scores are probabilities of label 1, and labels 0 or 1.
    """

    relation: str | exp.Query
    label: str = "label"
    challenger: str = "challenger"
    champion: str | None = "champion"
    probabilities: bool = True


def compare(
    scored: Scored,
    dialect: Dialect,
    *,
    loss_name: str,
    slices: Sequence[str] = (),
    threshold: float = 0.5,
    alpha: float = 0.05,
    tuned_for: int = TUNED_FOR,
) -> exp.Select:
    """The comparison over all rows, and over those of each value of each slice, from one scan.

    Without a labelled row Spark has no row over all of them where there are slices. A row of the answer has:

    - `slice`, `value`: the column and its value as text; both NULL in the row over all rows.
    - `compared`: rows with a label and both scores; `unscored`: those that only the challenger gives no score for;
      `unfit`: those whose label is neither 0 nor 1, though scores are probabilities. NaN is no score.
    - `champion_loss`, `challenger_loss`: the mean loss over the rows compared.
    - `gain`: by how much the challenger loses less, the mean of the differences a row; `se`, its standard error; `z`
      and the two-sided `p` of the normal distribution for one look at this number of rows.
    - `always_valid_p`, `gain_low`, `gain_high`: the same for any number of looks: see `always_valid`.
    - `better`, `worse`: rows that the challenger alone has right, or wrong, at the threshold, and `mcnemar_p`;
      `champion_ece`, `challenger_ece`: the expected calibration errors. Of scores that are no probabilities NULL.

    Args:
        scored: The rows.
        dialect: Whose SQL it is.
        loss_name: The loss, one of `losses.LOSSES`.
        slices: The columns by whose values rows are compared, too.
        threshold: From which probability on a score says 1.
        alpha: The share of cases in which the interval of the gain misses, at all looks together.
        tuned_for: The number of rows at which that interval is narrowest.

    Raises:
        UnknownNameError: There is no such loss or dialect.
        InvalidRequestError: A slice is named twice, the loss is of probabilities and the scores are none, or alpha or
            `tuned_for` are none.

    Example:
        >>> import duckdb, sqlglot
        >>> rows = "SELECT * FROM (VALUES (1, 0.6, 0.8), (0, 0.2, 0.1), (1, 0.4, 0.7)) AS t (y, old, new)"
        >>> scored = Scored(sqlglot.parse_one(rows), label="y", champion="old", challenger="new")
        >>> query = compare(scored, "duckdb", loss_name="squared_error").sql("duckdb")
        >>> duckdb.sql(f"SELECT compared, ROUND(gain, 4), better, worse FROM ({query})").fetchall()
        [(3, 0.14, 1, 0)]
    """
    known_dialect(dialect)
    _check(scored, loss_name, slices)
    keys = [f"slice_{at}" for at, _ in enumerate(slices)]
    statistics = exp.select("*", exp.alias_(formula("gain / NULLIF(se, 0e0)"), "z")).from_("sums")
    gain, se, compared = exp.column("gain"), exp.column("se"), exp.column("compared")
    width = always_valid_width(se, compared, alpha=alpha, tuned_for=tuned_for)
    derived = {
        "p": _two_sided(dialect),
        "always_valid_p": always_valid_p(gain, se, compared, alpha=alpha, tuned_for=tuned_for),
        "gain_low": formula("gain - :width", width=width),
        "gain_high": formula("gain + :width", width=width),
        "mcnemar_p": mcnemar_p(exp.column("better"), exp.column("worse"), dialect),
    }
    return (
        exp.select(*(exp.alias_(derived[name], name) if name in derived else exp.column(name) for name in COLUMNS))
        .with_("labelled", _labelled(scored, slices, keys, dialect))
        .with_("lost", _lost(scored, loss_name, threshold))
        .with_("sums", _sums(scored, slices, keys))
        .with_("statistics", statistics)
        .from_("statistics")
    )


def _check(scored: Scored, loss_name: str, slices: Sequence[str]) -> None:
    if loss_name in OF_PROBABILITIES and not scored.probabilities:
        raise InvalidRequestError(
            f"{loss_name} is of probabilities, and the scores are none",
            where="loss",
            fix="squared_error or absolute_error",
        )
    seen: set[str] = set()
    for name in slices:
        if name.lower() in seen:
            raise InvalidRequestError(f"the slice '{name}' is named twice", where="slices", fix="name it once")
        seen.add(name.lower())


def _labelled(scored: Scored, slices: Sequence[str], keys: Sequence[str], dialect: Dialect) -> exp.Select:
    """The rows with a label, under names of ours, which no slice can meet."""
    number = "CASE WHEN NOT ISNAN(CAST(:value AS DOUBLE)) THEN CAST(:value AS DOUBLE) END"
    own = {
        "label": formula(number, value=column(scored.label)),
        "champion": formula(number, value=column(scored.champion))
        if scored.champion
        else formula("CAST(NULL AS DOUBLE)"),
        "challenger": formula(number, value=column(scored.challenger)),
        **{key: exp.cast(column(name), "text") for key, name in zip(keys, slices, strict=True)},
    }
    given = exp.select(*(exp.alias_(value, name) for name, value in own.items()))
    given = given.from_(source(scored.relation, dialect))
    return exp.select("*").from_(given.subquery("given")).where("NOT label IS NULL")


def _lost(scored: Scored, loss_name: str, threshold: float) -> exp.Select:
    """What each row costs; the losses of a row that one of the two does not score are NULL."""
    label, both = exp.column("label"), "NOT challenger IS NULL"
    if scored.champion is not None:
        both += " AND NOT champion IS NULL"
    in_both = f"CASE WHEN {both} THEN :value END"
    costs = {
        f"{which}_loss": formula(in_both, value=loss(loss_name, label, exp.column(which), threshold=threshold))
        for which in ("champion", "challenger")
    }
    wrong = {
        f"{which}_wrong": formula(in_both, value=loss("zero_one", label, exp.column(which), threshold=threshold))
        if scored.probabilities
        else formula("CAST(NULL AS DOUBLE)")
        for which in ("champion", "challenger")
    }
    missing = "challenger IS NULL" + (" AND NOT champion IS NULL" if scored.champion is not None else "")
    marks = {
        "is_compared": formula(f"CASE WHEN {both} THEN 1 ELSE 0 END"),
        "is_unscored": formula(f"CASE WHEN {missing} THEN 1 ELSE 0 END"),
        "is_unfit": formula("CASE WHEN label = 0e0 OR label = 1e0 THEN 0 ELSE 1 END")
        if scored.probabilities
        else exp.Literal.number(0),
    }
    columns = {**costs, **wrong, **marks}
    return exp.select("*", *(exp.alias_(value, name) for name, value in columns.items())).from_("labelled")


def _sums(scored: Scored, slices: Sequence[str], keys: Sequence[str]) -> exp.Select:
    """Counts, means and variances, over all rows and over those of each slice."""
    count = "CAST(COALESCE(SUM({}), 0) AS BIGINT)"
    apart = "CASE WHEN champion_wrong {} challenger_wrong THEN 1 WHEN NOT champion_wrong IS NULL THEN 0 END"
    columns = {
        "compared": formula(count.format("is_compared")),
        "unscored": formula(count.format("is_unscored")),
        "unfit": formula(count.format("is_unfit")),
        "champion_loss": formula("AVG(champion_loss)"),
        "challenger_loss": formula("AVG(challenger_loss)"),
        "gain": formula("AVG(champion_loss - challenger_loss)"),
        # Not from sums of squares, which cancel.
        "se": formula("SQRT(VAR_SAMP(champion_loss - challenger_loss) / CAST(COUNT(champion_loss) AS DOUBLE))"),
        "better": formula(f"CAST(SUM({apart.format('>')}) AS BIGINT)"),
        "worse": formula(f"CAST(SUM({apart.format('<')}) AS BIGINT)"),
        **{f"{which}_ece": _calibration(scored, which) for which in ("champion", "challenger")},
    }
    names, values = formula("CAST(NULL AS TEXT)"), formula("CAST(NULL AS TEXT)")
    for key, name in zip(keys, slices, strict=True):
        # A NULL may be the slice's own value: GROUPING tells.
        here = f"CASE WHEN GROUPING({key}) = 0 THEN :this ELSE :other END"
        names = formula(here, this=exp.Literal.string(name), other=names)
        values = formula(here, this=exp.column(key), other=values)
    query = exp.select(
        exp.alias_(names, "slice"), exp.alias_(values, "value"), *(exp.alias_(v, name) for name, v in columns.items())
    ).from_("lost")
    if not keys:
        return query
    sets = [exp.Tuple(), *(exp.Tuple(expressions=[exp.column(key)]) for key in keys)]
    query.set("group", exp.Group(grouping_sets=[exp.GroupingSets(expressions=sets)]))
    return query


def _calibration(scored: Scored, which: str) -> exp.Expr:
    if not scored.probabilities or (which == "champion" and scored.champion is None):
        return formula("CAST(NULL AS DOUBLE)")
    compared = formula("CASE WHEN is_compared = 1 THEN :score END", score=exp.column(which))
    return expected_calibration_error(exp.column("label"), compared)


def _two_sided(dialect: Dialect) -> exp.Expr:
    tail = norm_sf(formula("ABS(z)"), dialect)
    certain = "WHEN se = 0e0 THEN CASE WHEN gain = 0e0 THEN 1e0 ELSE 0e0 END"
    return formula(f"CASE WHEN se > 0e0 THEN LEAST(1e0, 2e0 * :tail) {certain} END", tail=tail)
