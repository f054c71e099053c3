"""What the tables of the registry and of gates say of a model: versions, decisions, promotions, use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlglot import exp

from penstock.monitoring.gates.decide import GATES
from penstock.monitoring.performance.formulas import METRICS
from penstock.monitoring.performance.regression import NUMBER_METRICS
from penstock.monitoring.report.belongs import DataTest
from penstock.monitoring.report.engine import Engine
from penstock.monitoring.words import inside, totals
from penstock.scoring.functions import USAGE

DECISIONS, USES, VERSIONS = 10, 20, 20
"""What is shown at most: the newest decisions, the uses with the most rows, the newest versions."""
_BASELINE = "baseline_"


@dataclass(frozen=True)
class Trained:
    """A version as its training node tells it.

    Attributes:
        version: Its number.
        rows: The training rows; None where the node does not say.
        training_set, training_set_version: The table that it was trained on, and its Delta version.
        held_out_from: From when on rows were held out.
        metrics: By metric its value on the rows that were held out, and that of the baseline, None without one.
    """

    version: int
    rows: int | None
    training_set: str
    training_set_version: int | None
    held_out_from: datetime | None
    metrics: Mapping[str, tuple[float, float | None]]


@dataclass(frozen=True)
class Use:
    """What a version's scoring took: by whom, in which engine, how many rows, errors and seconds of CPU."""

    version: int
    who: str
    engine: str
    statements: int
    rows: int | None
    errors: int | None
    seconds: float | None
    last: datetime


@dataclass(frozen=True)
class Outcome:
    """What came of a dbt test: `pass`, `fail`, … or `not run`."""

    test: DataTest
    status: str


def trained_in(record: str, engine: Engine) -> tuple[Trained, ...]:
    """The versions in the table of a training node, the newest first; none where it is not one.

    Args:
        record: The table; empty where there is none.
        engine: Where it is.
    """
    if not record or not engine.has(record) or "version" not in engine.columns(record):
        return ()
    rows = engine.rows(engine.all_of(record).order_by("version DESC").limit(VERSIONS))
    return tuple(_trained(each) for each in rows)


def _trained(row: Mapping[str, Any]) -> Trained:
    known = [name for name in dict.fromkeys((*METRICS, *NUMBER_METRICS)) if isinstance(row.get(name), float)]
    return Trained(
        int(row["version"]),
        row.get("training_rows"),
        str(row.get("training_set") or ""),
        row.get("training_set_version"),
        row.get("held_out_from"),
        {name: (row[name], row.get(f"{_BASELINE}{name}")) for name in known},
    )


def decisions_on(model: str, engine: Engine) -> tuple[Mapping[str, Any], ...]:
    """The newest rows of `ml.gates` of a model, the newest first."""
    if not engine.has(GATES.name):
        return ()
    rows = engine.all_of(GATES.name).where(exp.column("model").eq(model))
    return tuple(engine.rows(rows.order_by("decided_at DESC", "gate_id").limit(DECISIONS)))


def uses_of(model: str, engine: Engine) -> tuple[Use, ...]:
    """What scoring by a model took since it is counted, by version, dbt node or user, and engine; most rows first."""
    if not engine.has(USAGE):
        return ()
    own = exp.select("*").from_(inside(engine.all_of(USAGE))).where(exp.column("model").eq(model))
    keyed = exp.select("*", exp.alias_(_WHO.copy(), "who")).from_(inside(own))
    sums: dict[str, exp.Expr | str] = {
        "statements": "CAST(SUM(statements) AS BIGINT)",
        "scored": "CAST(SUM(rows) AS BIGINT)",
        "failed": "CAST(SUM(errors) AS BIGINT)",
        "cpu": "SUM(seconds)",
        "last": "MAX(at)",
    }
    query = totals(keyed, ["version", "who", "engine"], sums).order_by("scored DESC NULLS LAST", "version", "who")
    return tuple(
        Use(
            int(each["version"]), each["who"], each["engine"], each["statements"], each["scored"], each["failed"],
            each["cpu"], each["last"],
        )
        for each in engine.rows(query.limit(USES))
    )  # fmt: skip


# A node that dbt builds, without `model.` and its project; else whose session it was.
_WHO: exp.Expr = exp.maybe_parse(
    "CASE WHEN COALESCE(node, '') = '' THEN COALESCE(user, '') ELSE node END", dialect="spark"
)


def results_of(tests: Sequence[DataTest], results: Mapping[str, str]) -> tuple[Outcome, ...]:
    """What came of tests in dbt's last invocation, what did not pass first.

    Args:
        tests: Which.
        results: What came of each, by name.
    """
    told = [Outcome(each, results.get(each.name, "not run")) for each in tests]
    order = {"pass": 2, "not run": 1}
    return tuple(sorted(told, key=lambda each: (order.get(each.status, 0), each.test.on, each.test.name)))
