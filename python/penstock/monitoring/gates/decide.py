"""Gates: whether a version may go live, decided once on what is known, and kept with all its evidence in `ml.gates`."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from sqlglot import exp

from penstock.errors import InvalidRequestError
from penstock.monitoring.behaviour.results import keep
from penstock.monitoring.gates.conditions import PASSED, REFUSED, Condition, conditions_of
from penstock.monitoring.gates.definition import Gate
from penstock.monitoring.gates.evidence import Evidence, Rows, behaviour_of, evidence_of
from penstock.monitoring.record.append import insert_once
from penstock.monitoring.record.tables import Column, Table
from penstock.registry import mlflow_store
from penstock.registry.alias_table import ensure_tables
from penstock.registry.moves import Move, moves_of
from penstock.registry.promote import CHAMPION, declared_environment
from penstock.registry.versions import check_version, registered
from penstock.scoring.functions import SCHEMA
from penstock.steps import Doing, silently

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "penstock:gate")
_CONDITION = "STRUCT<name: STRING, value: DOUBLE, bound: DOUBLE, passed: BOOLEAN, told: STRING>"
_SLICE = (
    "STRUCT<slice: STRING, value: STRING, compared: BIGINT, champion_loss: DOUBLE, challenger_loss: DOUBLE,"
    " gain: DOUBLE, gain_low: DOUBLE, gain_high: DOUBLE, p: DOUBLE>"
)
_FOUND = {
    "compared": ("BIGINT", "Rows with a final label and a score of each version."),
    "champion_loss": ("DOUBLE", "The champion's mean loss on them."),
    "challenger_loss": ("DOUBLE", "The challenger's."),
    "gain": ("DOUBLE", "The promised gain: by how much the challenger loses less a row, on average."),
    "gain_low": ("DOUBLE", "Its lower bound, right at all looks together."),
    "gain_high": ("DOUBLE", "Its upper bound."),
    "p": ("DOUBLE", "Two-sided, of the normal distribution, for one look."),
    "always_valid_p": ("DOUBLE", "Two-sided, for any number of looks."),
    "better": ("BIGINT", "Rows that the challenger alone has right at the threshold."),
    "worse": ("BIGINT", "Rows that the champion alone has right."),
    "mcnemar_p": ("DOUBLE", "McNemar's test of these two."),
    "champion_auc": ("DOUBLE", "The champion's area under the ROC curve."),
    "challenger_auc": ("DOUBLE", "The challenger's."),
    "champion_ece": ("DOUBLE", "The champion's expected calibration error."),
    "challenger_ece": ("DOUBLE", "The challenger's."),
}
_OUTCOME = (
    Column("conditions", f"ARRAY<{_CONDITION}>", "What is asked for, what was found, whether that is met.", True),
    *(Column(name, kind, comment) for name, (kind, comment) in _FOUND.items()),
    Column("slices", f"ARRAY<{_SLICE}>", "The slices in which the challenger is worst."),
    Column("verdict", "STRING", "passed or refused.", required=True),
    Column("decided_at", "TIMESTAMP", "When it was decided.", required=True),
)

GATES = Table(
    f"{SCHEMA}.gates",
    (
        Column("gate_id", "STRING", "uuid5 of all that the decision depends on.", required=True),
        Column("model", "STRING", "The registered name.", required=True),
        Column("champion", "INT", "The version that was live; NULL where none was."),
        Column("champion_since", "BIGINT", "The version of ml.model_aliases that made it live."),
        Column("challenger", "INT", "The version that may go live.", required=True),
        Column("relation", "STRING", "The table on whose rows both were scored.", required=True),
        Column("relation_version", "BIGINT", "Its Delta version.", required=True),
        Column("unseen_since", "TIMESTAMP", "Rows before it were left out: a version was trained on some of them."),
        Column("loss", "STRING", "What a prediction costs.", required=True),
        Column("definition", "STRING", "The gate as it was declared, as JSON.", required=True),
        Column("tests", "MAP<STRING, STRING>", "What came of the dbt tests that it names.", required=True),
        Column("approved_by", "STRING", "Who approved it."),
        Column("after", "STRING", "The decision before it on these versions, on which something else was known."),
        *_OUTCOME,
        Column("logged_at", "TIMESTAMP", "When the row was written here.", required=True),
    ),
    key=("gate_id",),
    time="decided_at",
    comment="Decisions on whether a version may go live, with their evidence; never changed.",
)


@dataclass(frozen=True)
class Decision:
    """A row of `ml.gates`.

    Attributes:
        row: The row, by its columns; `conditions` and `slices` are lists of dictionaries.
    """

    row: Mapping[str, Any]

    @property
    def id(self) -> str:
        """The gate's id."""
        return str(self.row["gate_id"])

    @property
    def passed(self) -> bool:
        """Whether all conditions are met."""
        return bool(self.row["verdict"] == PASSED)

    @property
    def conditions(self) -> list[Condition]:
        """Each condition."""
        return [Condition(**each) for each in self.row["conditions"]]


def decide(
    spark: Any,
    gate: Gate,
    *,
    relation: str,
    challenger: int | None = None,
    results: Mapping[str, str] | None = None,
    approved_by: str | None = None,
    doing: Doing = silently,
) -> Decision:
    """Decide whether a version may go live, and keep the decision in `ml.gates`.

    What it depends on makes its id: the two versions and since when the champion is live, the table's version, the
    declared conditions, what came of tests, who approves. While none of that changes the newest decision is given back,
    and nothing is scored. It stays approved.

    Args:
        spark: A session.
        gate: What is declared.
        relation: The table of `gate.evaluate`, as SQL text.
        challenger: The version that may go live; the newest one if not given.
        results: What came of dbt's tests, by name: `pass`, `fail`, ….
        approved_by: Who approves it.
        doing: Shows long steps.

    Raises:
        UnknownNameError: when there is no such version or column.
        InvalidRequestError: when the version is live already, the relation is no Delta table, or there are no rows.
        PenstockError: as for `evidence.evidence_of`.
    """
    number = newest_version(gate.model) if challenger is None else challenger
    check_version(gate.model, number)
    ensure_tables(spark)
    moves = moves_of(spark, gate.model, CHAMPION)
    live = moves[-1] if moves else None
    if live is not None and live.version.version == number:
        raise InvalidRequestError(
            f"version {number} is live already", where=f"model {gate.model}", fix="train a version that may follow it"
        )
    run_ids = [live.version.run_id, _run_of(gate.model, number)] if live is not None else [_run_of(gate.model, number)]
    rows = Rows(relation, delta_version(spark, relation), unseen_since(run_ids))
    came = {name: (results or {}).get(name, "not run") for name in gate.tests}
    newest = newest_decision(spark, gate.model, number, live)
    if newest is not None:
        approver = approved_by or newest.row["approved_by"]
        if _inputs(gate, rows, live, number, came, approver, after=newest.row["after"])["gate_id"] == newest.id:
            return newest
    inputs = _inputs(gate, rows, live, number, came, approved_by, after=None if newest is None else newest.id)
    with doing(f"registering version {number} of {gate.model}"):
        new = registered(spark, gate.model, number, environment=declared_environment(spark, gate.model))
    with doing(f"scoring {relation} by version {number}{f' and {live.version.version}' if live else ''}"):
        found = evidence_of(spark, gate, rows, live.version if live else None, new)
    conditions = conditions_of(gate, found, is_first=live is None, results=came, approved_by=approved_by)
    keep(spark, found.behaviour)
    _append(spark, {**inputs, **_outcome(found, conditions)})
    return Decision(spark.table(GATES.name).where(f"gate_id = '{inputs['gate_id']}'").first().asDict(recursive=True))


def behave(
    spark: Any, gate: Gate, *, relation: str, version: int | None = None, doing: Doing = silently
) -> Sequence[Mapping[str, Any]]:
    """Look at how a version behaves, and keep that in `ml.behaviour`; nothing is decided.

    Args:
        spark: A session.
        gate: What is declared.
        relation: The table of `gate.evaluate`, as SQL text.
        version: The version; the newest one if not given.
        doing: Shows long steps.

    Returns:
        A row a check, with the columns of the table but for the id and the time.

    Raises:
        UnknownNameError: when there is no such version or column.
        InvalidRequestError: when the gate declares no behaviour, or the relation is no Delta table.
        PenstockError: as for `evidence.behaviour_of`.
    """
    if not gate.behaviour:
        raise InvalidRequestError("no behaviour is declared", where=f"gate of {gate.model}", fix="behaviour: a list")
    number = newest_version(gate.model) if version is None else version
    check_version(gate.model, number)
    ensure_tables(spark)
    rows = Rows(relation, delta_version(spark, relation), unseen_since([_run_of(gate.model, number)]))
    with doing(f"registering version {number} of {gate.model}"):
        held = registered(spark, gate.model, number, environment=declared_environment(spark, gate.model))
    with doing(f"scoring {relation} by version {number}"):
        found = behaviour_of(spark, gate, rows, held)
    keep(spark, found)
    return found


def newest_version(model: str) -> int:
    """The newest version of a model in MLflow's registry.

    Raises:
        UnknownNameError: when there is no such model.
    """
    versions = [int(each.version) for each in mlflow_store.client().search_model_versions(f"name = '{model}'")]
    if not versions:
        check_version(model, 1)
    return max(versions)


def newest_decision(spark: Any, model: str, challenger: int, live: Move | None) -> Decision | None:
    """The newest decision on a version since what is live now is live; None where there is none.

    Args:
        spark: A session.
        model: The registered name.
        challenger: The version.
        live: The move that made live what is; None where nothing is.
    """
    if not spark.catalog.tableExists(GATES.name):
        return None
    same = exp.and_(
        exp.column("model").eq(model),
        exp.column("challenger").eq(challenger),
        exp.NullSafeEQ(
            this=exp.column("champion_since"), expression=exp.convert(None if live is None else live.commit)
        ),
    )
    row = spark.table(GATES.name).where(same.sql("spark")).orderBy("decided_at", ascending=False).first()
    return None if row is None else Decision(row.asDict(recursive=True))


def _inputs(
    gate: Gate,
    rows: Rows,
    live: Move | None,
    challenger: int,
    came: Mapping[str, str],
    approved_by: str | None,
    *,
    after: str | None,
) -> dict[str, Any]:
    told = {
        "model": gate.model,
        "champion": None if live is None else live.version.version,
        "champion_since": None if live is None else live.commit,
        "challenger": challenger,
        "relation": rows.relation,
        "relation_version": rows.version,
        "unseen_since": rows.since,
        "loss": gate.loss,
        "definition": gate.as_text(),
        "tests": dict(came),
        "approved_by": approved_by,
        "after": after,
    }
    return {"gate_id": str(uuid.uuid5(_NAMESPACE, json.dumps(told, sort_keys=True, default=str))), **told}


def _outcome(found: Evidence, conditions: Sequence[Condition]) -> dict[str, Any]:
    names = [each.partition(":")[0].strip() for each in _SLICE.removeprefix("STRUCT<").split(",")]
    return {
        "conditions": [asdict(each) for each in conditions],
        **{name: found.overall.get(name) for name in _FOUND},
        "slices": [{name: each[name] for name in names} for each in found.slices],
        "verdict": PASSED if all(each.passed for each in conditions) else REFUSED,
    }


def _append(spark: Any, row: Mapping[str, Any]) -> None:
    timed = {"decided_at", "logged_at"}
    schema = ", ".join(f"{each.name} {each.type}" for each in GATES.columns if each.name not in timed)
    values = tuple(_typed(each, row[each.name]) for each in GATES.columns if each.name not in timed)
    insert_once(spark, GATES, spark.createDataFrame([values], schema))


def _typed(column: Column, value: Any) -> Any:
    """PySpark takes no whole number for a DOUBLE."""
    if column.name == "conditions":
        floats = ("value", "bound")
        return [{**each, **{k: None if each[k] is None else float(each[k]) for k in floats}} for each in value]
    return float(value) if column.type == "DOUBLE" and value is not None else value


def delta_version(spark: Any, relation: str) -> int:
    """The present version of a Delta table.

    Raises:
        InvalidRequestError: when it is none.
    """
    from pyspark.errors import AnalysisException

    try:
        return int(spark.sql(f"DESCRIBE HISTORY {relation} LIMIT 1").collect()[0]["version"])
    except AnalysisException as error:
        raise InvalidRequestError(
            "a gate is decided on one version of a Delta table, and this is none",
            where=relation,
            fix="config(materialized='table'), and dbt build it",
        ) from error


def _run_of(model: str, version: int) -> str | None:
    found = mlflow_store.client().get_model_version(model, str(version)).run_id
    return None if found is None else str(found)


def unseen_since(run_ids: Sequence[str | None]) -> datetime | None:
    """From when on no version was trained on rows, as far as their runs tell: `train` holds out the newest."""
    store = mlflow_store.client()
    told = [store.get_run(each).data.params.get("held_out_from") for each in run_ids if each]
    times = [datetime.fromisoformat(each) for each in told if each]
    return max((each if each.tzinfo else each.replace(tzinfo=UTC) for each in times), default=None)
