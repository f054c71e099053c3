"""Performance without labels, from calibrated probabilities, beside what was realised."""

from __future__ import annotations

from sqlglot import exp

from penstock.dialects import Dialect
from penstock.errors import InvalidRequestError
from penstock.monitoring.performance.calibration import calibrated_scores
from penstock.monitoring.performance.curves import Curve
from penstock.monitoring.performance.metrics import of_rows
from penstock.monitoring.performance.scores import PROBABILITY, Scores, as_given, check_keys, counted, own_names
from penstock.monitoring.words import column, formula, inside, named, totals

_SIDES = ("realised", "estimated")
_PARTS = {"": "value", "_low": "low", "_high": "high", "_rows": "rows"}
_ANSWER = frozenset({"metric", *(f"{side}{part}" for side in _SIDES for part in _PARTS)})
_CALIBRATED, _KIND, _LABEL, _WEIGHT = "__calibrated", "__label_is", "__label", "__weight"


def realised_and_estimated(scores: Scores, knots: Curve, dialect: Dialect, *, confidence: float = 0.95) -> exp.Select:
    """Each metric as labels say, beside what calibrated scores say without them: one row a key and metric, one scan.

    NannyML's confidence-based performance estimation (CBPE): a row whose calibrated probability is c counts as c of a
    positive and 1 - c of another, so that TP = Σ c ŷ, FP = Σ (1-c) ŷ, and `auc` is that of the curve through these sums
    in the order of the scores. It holds as long as a score means what it did when it was calibrated: it sees data that
    moved, and is blind to a change of what comes true of the same data. That is why the realised value is beside it.

    The interval of an estimate is for the value that will be realised on its very rows, if the calibration is right.

    Args:
        scores: The rows, with or without labels. The realised side has the rows with a label and a weight; the
            estimated side all rows with a score, without weights.
        knots: The calibration, as `isotonic_knots` gives it, fitted to other rows; `by` tells those of segments apart.
        dialect: Whose SQL it is.
        confidence: Of the intervals.

    Returns:
        A query of the keys and `metric`; `realised`, `realised_low`, `realised_high`, `estimated`, `estimated_low` and
        `estimated_high`, DOUBLE; `realised_rows` and `estimated_rows`, BIGINT. A side without rows is NULL.

    Raises:
        UnknownNameError: The dialect is neither of the two.
        InvalidRequestError: A key has the name of a column, labels are probabilities, or the confidence is none.
    """
    if scores.label_is == PROBABILITY:
        raise InvalidRequestError(
            "there is nothing realised in labels that are probabilities",
            where="label_is",
            fix="name the labels' column",
        )
    check_keys(scores.keys, _ANSWER)
    own = own_names(scores.keys)
    calibrated = calibrated_scores(scores.relation, knots, dialect, score=scores.score, name=_CALIBRATED)
    sides = scores.over(_twice(calibrated, scores), label=_LABEL, weight=_WEIGHT)
    answer = of_rows(counted(sides, dialect, label_is=column(_KIND)), sides, confidence=confidence)
    parts = {
        f"{side}{part}": formula(
            f"MAX(CASE WHEN label_is = :kind THEN {value} END)",
            kind=exp.Literal.string(kind),
        )
        for side, kind in zip(_SIDES, (scores.label_is, PROBABILITY), strict=True)
        for part, value in _PARTS.items()
    }
    pivoted = totals(answer, [*own, "metric"], parts)
    return exp.select(*as_given(own), "metric", *parts).from_(inside(pivoted), copy=False)


def _twice(calibrated: exp.Select, scores: Scores) -> exp.Select:
    """Each row once with its label and once with its calibrated score in the place of it."""
    kinds = exp.values([(scores.label_is,), (PROBABILITY,)], alias="kinds", columns=[_KIND])
    estimated = formula(":kind = :probability", kind=column(_KIND), probability=exp.Literal.string(PROBABILITY))
    label, weight = exp.cast(column(scores.label), "double"), column(scores.weight) if scores.weight else None
    columns = {
        _LABEL: formula(
            "CASE WHEN :estimated THEN :calibrated ELSE :label END",
            estimated=estimated, calibrated=column(_CALIBRATED), label=label,
        ),
        _WEIGHT: formula(
            "CASE WHEN :estimated THEN 1e0 ELSE :weight END",
            estimated=estimated, weight=exp.cast(weight, "double") if weight else formula("1e0"),
        ),
    }  # fmt: skip
    both = exp.select("*", *named(columns)).from_(calibrated.subquery("calibrated", copy=False), copy=False)
    return both.join(kinds, join_type="cross", copy=False)
