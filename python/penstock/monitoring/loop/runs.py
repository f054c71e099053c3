"""`ml.loops`: a row is one loop, written again after each of its steps, by whoever runs it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlglot import exp

from penstock.monitoring.loop.alone import LoopRuns
from penstock.monitoring.loop.triggers import Trigger
from penstock.monitoring.record.append import retried
from penstock.monitoring.record.tables import Column, Table, ensure
from penstock.scoring.functions import SCHEMA

RUNNING, WAITING, PROMOTED, REFUSED, NOTHING_NEW, LEFT, NOT_DUE = (
    "running", "waits for approval", "promoted", "refused", "nothing new", "left", "not due",
)  # fmt: skip
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "penstock:loop")
_TRIGGER = "STRUCT<kind: STRING, due: BOOLEAN, value: DOUBLE, bound: DOUBLE, told: STRING>"
_STEP = "STRUCT<step: STRING, told: STRING, at: TIMESTAMP>"

LOOPS = Table(
    f"{SCHEMA}.loops",
    (
        Column("loop_id", "STRING", "uuid5 of the model and the loop before it.", required=True),
        Column("model", "STRING", "The registered name.", required=True),
        Column(
            "state",
            "STRING",
            f"{RUNNING}, {WAITING}, {PROMOTED}, {REFUSED}, {NOTHING_NEW}, or {LEFT}: never approved.",
            True,
        ),
        Column("triggers", f"ARRAY<{_TRIGGER}>", "What was looked at, and what started it.", required=True),
        Column("newest", "INT", "The newest version when it began."),
        Column("challenger", "INT", "The newest version when it had trained."),
        Column("labels", "BIGINT", "How many labels there were when it had trained."),
        Column(
            "drift_read",
            "MAP<STRING, BIGINT>",
            "The Delta versions that the test of drift reads, when it had trained.",
            required=True,
        ),
        Column("tests", "MAP<STRING, STRING>", "What came of the dbt tests that the gate names.", required=True),
        Column("gate_id", "STRING", "Its decision, in ml.gates."),
        Column("verdict", "STRING", "passed or refused."),
        Column("live", "INT", "The version that was live when it ended."),
        Column("steps", f"ARRAY<{_STEP}>", "What each step came to, and when.", required=True),
        Column("runner", "STRING", "The process that runs it, or ran it last.", required=True),
        Column("started_at", "TIMESTAMP", "When it began.", required=True),
        Column("ended_at", "TIMESTAMP", "When it ended; NULL while it has not."),
    ),
    key=("loop_id",),
    time="started_at",
    comment="Loops: what started each, what was trained, what was decided. A row changes until it ended_at.",
    only_added=False,
)


@dataclass(frozen=True)
class Step:
    """What a step came to."""

    step: str
    told: str
    at: datetime


@dataclass(frozen=True)
class Run:
    """A row of `ml.loops`; its columns tell what each attribute is. One that is not due has no id, and no row."""

    model: str
    state: str
    triggers: tuple[Trigger, ...]
    started_at: datetime
    loop_id: str = ""
    newest: int | None = None
    challenger: int | None = None
    labels: int | None = None
    drift_read: Mapping[str, int] = field(default_factory=dict)
    tests: Mapping[str, str] = field(default_factory=dict)
    gate_id: str | None = None
    verdict: str | None = None
    live: int | None = None
    steps: tuple[Step, ...] = ()
    runner: str = ""
    ended_at: datetime | None = None

    def has(self, step: str) -> bool:
        """Whether a step is done."""
        return any(each.step == step for each in self.steps)

    @property
    def as_json(self) -> dict[str, Any]:
        """All of it in values of JSON."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self), default=lambda each: each.isoformat()))
        return plain


def id_after(model: str, before: Run | None) -> str:
    """The id of the loop that follows another: two that follow the same one are the same."""
    return str(uuid.uuid5(_NAMESPACE, f"{model}\0{before.loop_id if before else ''}"))


def newest_run(spark: Any, model: str) -> Run | None:
    """The loop of a model that began last; None where there was none."""
    if not spark.catalog.tableExists(LOOPS.name):
        return None
    rows = spark.table(LOOPS.name).where(exp.column("model").eq(model).sql("spark"))
    # Times come as microseconds since 1970: as datetimes they would be read in the zone of this process.
    times = {name: f"UNIX_MICROS({name}) AS {name}" for name in ("started_at", "ended_at")}
    steps = "TRANSFORM(steps, s -> STRUCT(s.step, s.told, UNIX_MICROS(s.at) AS at)) AS steps"
    chosen = [steps if each.name == "steps" else times.get(each.name, each.name) for each in LOOPS.columns]
    row = rows.orderBy("started_at", ascending=False).selectExpr(*chosen).first()
    return None if row is None else _run(row.asDict(recursive=True))


def begin(spark: Any, run: Run) -> None:
    """Add the row of a loop.

    Raises:
        LoopRuns: when somebody else has just begun it.
    """
    ensure(spark, LOOPS)
    if not _merge(spark, run, None):
        raise _other(run)


def save(spark: Any, run: Run, *, held_by: str | None = None) -> None:
    """Write a loop's row again, in one commit, if it is still this process that runs it.

    Args:
        spark: A session.
        run: As the row is to be.
        held_by: Who has run it until now; its own runner if not given.

    Raises:
        LoopRuns: when somebody else has taken it over.
    """
    if not _merge(spark, run, held_by or run.runner):
        raise _other(run)


def _merge(spark: Any, run: Run, held_by: str | None) -> int:
    from delta.tables import DeltaTable
    from pyspark.sql import functions as f

    micros = [f"{each.name} {_in_micros(each.type)}" for each in LOOPS.columns]
    rows = spark.createDataFrame([tuple(_value(getattr(run, each.name)) for each in LOOPS.columns)], ", ".join(micros))
    values = {
        each.name: f.timestamp_micros(each.name) if each.type == "TIMESTAMP" else f.col(each.name)
        for each in LOOPS.columns
    }
    steps = "TRANSFORM(steps, s -> NAMED_STRUCT('step', s.step, 'told', s.told, 'at', TIMESTAMP_MICROS(s.at)))"
    new = rows.select(*(value.alias(name) for name, value in {**values, "steps": f.expr(steps)}.items()))

    def merge() -> int:
        held = DeltaTable.forName(spark, LOOPS.name).alias("held")
        to = held.merge(new.alias("new"), "held.loop_id = new.loop_id")
        if held_by is None:
            told = to.whenNotMatchedInsertAll().execute().first()
            return int(told["num_inserted_rows"])
        same = exp.column("runner", table="held").eq(held_by).sql("spark")
        return int(to.whenMatchedUpdateAll(condition=same).execute().first()["num_updated_rows"])

    return retried(LOOPS.name, merge)


def _in_micros(kind: str) -> str:
    return kind.replace("TIMESTAMP", "BIGINT")


def _value(value: Any) -> Any:
    if isinstance(value, datetime):
        return round(value.timestamp() * 1e6)
    if isinstance(value, Trigger):
        return tuple(float(each) if type(each) is int else each for each in asdict(value).values())
    if isinstance(value, Step):
        return (value.step, value.told, _value(value.at))
    if isinstance(value, tuple):
        return [_value(each) for each in value]
    return dict(value) if isinstance(value, Mapping) else value


def _run(row: Mapping[str, Any]) -> Run:
    told = {each.name: row[each.name] for each in fields(Run)}
    told["triggers"] = tuple(Trigger(**each) for each in row["triggers"])
    told["steps"] = tuple(Step(each["step"], each["told"], _time(each["at"])) for each in row["steps"])
    told |= {name: None if row[name] is None else _time(row[name]) for name in ("started_at", "ended_at")}
    return Run(**told)


def _time(micros: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)


def _other(run: Run) -> LoopRuns:
    return LoopRuns(
        f"another process runs this loop of model '{run.model}'",
        where=f"{LOOPS.name}, {run.loop_id}",
        fix="wait for it: it does what this one would",
    )
