"""Whether scores are probabilities: reliability before and after isotonic calibration; and how scores are spread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from penstock.monitoring.performance.calibration import calibrated_scores, calibration, reliability
from penstock.monitoring.performance.scores import Scores
from penstock.monitoring.report.engine import Engine, Missing, at_or
from penstock.monitoring.report.performed import LABEL, PERIOD, Performance, Reading, curve_of
from penstock.monitoring.words import column, inside, named

AS_IS, CALIBRATED = "scores", "calibrated"
SCORE_BINS = 25
_SIDE = "side"


@dataclass(frozen=True)
class Bin:
    """A bin of scores: how many rows, their mean score, the share of positives with its bounds of 95 %."""

    bin: int
    rows: int
    mean_score: float
    positives: float
    low: float
    high: float


@dataclass(frozen=True)
class Side:
    """Scores as they are, or calibrated: their bins, the expected calibration error, and the p-value of its test."""

    bins: tuple[Bin, ...]
    ece: float
    p: float | None
    rows: int


@dataclass(frozen=True)
class Calibration:
    """How far scores are from probabilities.

    Attributes:
        sides: `scores`, and `calibrated` where there is a calibration, over the same rows.
        scores: How scores are distributed, over the same rows: bins of one width.
    """

    sides: dict[str, Side]
    scores: tuple[Bin, ...]


def calibration_of(reading: Reading, performance: Performance, engine: Engine) -> Calibration | Missing:
    """How far from probabilities the scores are that came after the periods that the calibration was fitted to.

    Args:
        reading: The rows.
        performance: What is known of them, with the calibration.
        engine: Where they are.
    """
    if reading.numbers:
        return Missing("the model predicts numbers, which are no probabilities")
    if performance.newest is None:
        return Missing("no label is final yet")
    start = performance.fitted_until or performance.periods[0].start
    rows = exp.select("*").from_(inside(reading.prepared(engine, performance.bucket)))
    rows = rows.where(at_or(PERIOD, start, after=True))
    sides = [_side(rows, AS_IS, reading.scored.score)]
    if performance.knots:
        curve = curve_of(performance.knots, engine)
        calibrated = calibrated_scores(
            rows.copy(), curve, engine.dialect, score=reading.scored.score, name="__calibrated"
        )
        sides.append(_side(calibrated, CALIBRATED, "__calibrated"))
    both = sides[0] if len(sides) == 1 else exp.union(*sides, distinct=False)
    scores = Scores(both, keys=(_SIDE,))
    bins = engine.rows(reliability(scores, engine.dialect))
    tests = {each[_SIDE]: each for each in engine.rows(calibration(scores, engine.dialect))}
    if AS_IS not in tests:
        return Missing("no label is final since the calibration was fitted")
    told = {
        side: Side(_bins(each for each in bins if each[_SIDE] == side), row["ece"], row["p"], int(row["rows"]))
        for side, row in sorted(tests.items(), reverse=True)
    }
    spread = reliability(Scores(sides[0], keys=(_SIDE,)), engine.dialect, bins=SCORE_BINS)
    return Calibration(told, _bins(engine.rows(spread)))


def _side(rows: exp.Select, side: str, score: str) -> exp.Select:
    told = {_SIDE: exp.Literal.string(side), "score": exp.cast(column(score), "double"), "label": exp.column(LABEL)}
    return exp.select(*named(told)).from_(inside(rows))


def _bins(rows: Any) -> tuple[Bin, ...]:
    found = [Bin(**{name: each[name] for name in Bin.__dataclass_fields__}) for each in rows]
    return tuple(sorted(found, key=lambda each: each.bin))
