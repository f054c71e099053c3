"""All that a report shows, collected: what a page is drawn from, without another look at any table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from penstock.monitoring.report.belongs import Belonging
from penstock.monitoring.report.calibrated import Calibration, calibration_of
from penstock.monitoring.report.drifted import Drift, drift_of
from penstock.monitoring.report.engine import Engine, Missing
from penstock.monitoring.report.performed import Performance, Reading, performance_of
from penstock.monitoring.report.recorded import (
    Outcome,
    Trained,
    Use,
    decisions_on,
    results_of,
    trained_in,
    uses_of,
)
from penstock.monitoring.report.sliced import Slices, slices_of
from penstock.registry.moves import Move
from penstock.steps import Doing, silently

_Section = TypeVar("_Section")
LOG_PREDICTIONS = """\
models:
  - name: predictions_to_log
    config:
      meta: {penstock: {log: predictions}}"""


@dataclass(frozen=True)
class State:
    """A relation that a report reads or draws.

    Attributes:
        relation: Its name.
        version: Its Delta version, in which it was read; None of a view.
        committed_at: When that version came.
        built: Whether it is there.
    """

    relation: str
    version: int | None = None
    committed_at: datetime | None = None
    built: bool = True


@dataclass(frozen=True)
class Known:
    """What is known of a model besides tables of its own.

    Attributes:
        at: When the report is made.
        moves: Of the alias of what is live, in order.
        ledger: What promotions promised and what they were worth, if the model has a gate.
        results: What came of dbt's tests in its last invocation, by name.
        unseen_since: From when on the live version was not trained on rows; None where it does not say.
        states: Of each relation, by name.
    """

    at: datetime
    moves: Sequence[Move] = ()
    ledger: Sequence[Mapping[str, Any]] = ()
    results: Mapping[str, str] | None = None
    unseen_since: datetime | None = None
    states: Mapping[str, State] | None = None


@dataclass(frozen=True)
class Collected:
    """All that a report shows; `Missing` where there is nothing."""

    belonging: Belonging
    known: Known
    performance: Performance | Missing
    calibration: Calibration | Missing
    slices: Slices | Missing
    drifts: tuple[tuple[str, Drift | Missing], ...]
    trained: tuple[Trained, ...]
    decisions: tuple[Mapping[str, Any], ...]
    uses: tuple[Use, ...]
    tests: tuple[Outcome, ...]

    @property
    def live(self) -> Move | None:
        """What made live the version that is."""
        return self.known.moves[-1] if self.known.moves else None


def collect(belonging: Belonging, known: Known, engine: Engine, *, doing: Doing = silently) -> Collected:
    """Look at all that belongs to a model.

    Args:
        belonging: What does.
        known: What is known besides.
        engine: Where its tables are.
        doing: Shows long steps.
    """

    live = known.moves[-1].version.version if known.moves else None
    has_rows = belonging.scored is not None and engine.has(belonging.scored.relation)
    reading = _reading(belonging, known) if has_rows else None
    with doing("performance by time"):
        performance = _no_rows(belonging, engine) if reading is None else performance_of(reading, engine)

    def of_rows(look: Callable[[Reading, Performance, Engine], _Section | Missing]) -> _Section | Missing:
        if isinstance(performance, Missing):
            return performance
        assert reading is not None
        return look(reading, performance, engine)

    with doing("calibration, slices and drift"), ThreadPoolExecutor(engine.at_once) as pool:
        calibration = pool.submit(of_rows, calibration_of)
        slices = pool.submit(of_rows, slices_of)
        drifts = [(each.name, pool.submit(drift_of, each, live, engine).result) for each in belonging.drifts]
        trained = pool.submit(trained_in, belonging.record, engine)
        decisions = pool.submit(decisions_on, belonging.model, engine)
        uses = pool.submit(uses_of, belonging.model, engine)
    return Collected(
        belonging=belonging,
        known=known,
        performance=performance,
        calibration=calibration.result(),
        slices=slices.result(),
        drifts=tuple((name, drift()) for name, drift in drifts),
        trained=trained.result(),
        decisions=decisions.result(),
        uses=uses.result(),
        tests=results_of(belonging.tests, known.results or {}),
    )


def _reading(belonging: Belonging, known: Known) -> Reading:
    declared, scored = belonging.declared, belonging.scored
    assert scored is not None
    threshold = belonging.gate.threshold if belonging.gate else 0.5
    # What was logged was predicted before anything was known; a table that is scored later has training rows in it.
    since = None if scored.is_record else known.unseen_since
    return Reading(scored, belonging.model, declared.metrics, declared.numbers, threshold, known.at, since)


def _no_rows(belonging: Belonging, engine: Engine) -> Missing:
    scored = belonging.scored
    if scored is not None and not engine.has(scored.relation):
        return Missing(f"{scored.name} is not built", f"dbt build --select +{scored.name}")
    if belonging.logs:
        name = belonging.logs[0]
        labels = f"{{{{ penstock.labels('…', horizon='…', model='{belonging.model}', of=[ref('{name}'), …]) }}}}"
        return Missing(f"{name} logs predictions, and no model has their labels", labels)
    return Missing("no predictions are logged, and no table of scored rows is declared", LOG_PREDICTIONS)
