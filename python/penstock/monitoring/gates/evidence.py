"""The evidence of a gate: both versions score the same rows in one query, and the rows are compared where they lie."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from sqlglot import exp

from penstock.errors import InvalidDefinitionError, InvalidRequestError, UnknownNameError
from penstock.monitoring.gates.auc import areas
from penstock.monitoring.gates.behaviour import behaviour_sql, changes_of, columns_of, second
from penstock.monitoring.gates.definition import Gate
from penstock.monitoring.gates.paired import Scored, compare
from penstock.registry.versions import Version
from penstock.scoring.bodies import body
from penstock.scoring.declared import Function
from penstock.scoring.functions import quoted
from penstock.scoring.returns import PROBABILITY, part_type, usual_part
from penstock.scoring.spark_ml.opened import SPARK_ML

# Of the slices the worst come to the driver, however many there are.
WORST = 20
# No column of a user's is called so.
_LABEL, _CHAMPION, _CHALLENGER = "__label", "__champion", "__challenger"
_WHOLE = ("tinyint", "smallint", "int", "bigint")
_NUMBER = (*_WHOLE, "float", "double", "decimal")
_TAKEN = {"label": (*_NUMBER, "boolean"), "time": ("timestamp", "timestamp_ntz", "date"), "matured": ("boolean",)}


@dataclass(frozen=True)
class Rows:
    """The rows that are scored.

    Attributes:
        relation: The Delta table's name, as SQL text.
        version: Its version.
        since: Only rows of this time or later were seen by neither version in training; all, if None.
    """

    relation: str
    version: int
    since: datetime | None = None


@dataclass(frozen=True)
class Evidence:
    """What the comparison found.

    Attributes:
        overall: The row of `paired.compare` over all rows, with `champion_auc` and `challenger_auc` of probabilities.
        slices: Its rows of slices, those with enough rows first, the one in which the challenger is worst first.
        behaviour: What came of each check of behaviour for each version, as `results.keep` takes it.
    """

    overall: Mapping[str, Any]
    slices: Sequence[Mapping[str, Any]] = field(default=())
    behaviour: Sequence[Mapping[str, Any]] = field(default=())


def evidence_of(spark: Any, gate: Gate, rows: Rows, champion: Version | None, challenger: Version) -> Evidence:
    """Score the rows by both versions, and compare.

    Nothing of it moves an alias or makes a function: each version scores as it would if it were live.

    Args:
        spark: A session.
        gate: What is compared, and how.
        rows: On which rows.
        champion: The version that is live; None when there is none.
        challenger: The version that may go live.

    Raises:
        UnknownNameError: when the table lacks a column that a version takes or the gate names.
        InvalidDefinitionError: when such a column has another type.
        InvalidRequestError: when the two versions give different things, or labels are not what the loss takes.
    """
    part = _part(champion, challenger)
    probabilities = part == PROBABILITY
    if gate.max_ece is not None and not probabilities:
        raise InvalidDefinitionError(
            f"calibrated is of probabilities, and version {challenger.version} gives {part}",
            where=f"gate of {gate.model}",
            fix="leave it out",
        )
    with _scored(spark, gate, rows, _by_column(champion, challenger)) as view:
        of = Scored(view, _LABEL, _CHALLENGER, _CHAMPION if champion is not None else None, probabilities)
        query = compare(
            of, "spark", loss_name=gate.loss, slices=gate.slices, threshold=gate.threshold,
            alpha=gate.alpha, tuned_for=gate.tuned_for,
        )  # fmt: skip
        found = [row.asDict() for row in spark.sql(_worst(query, gate).sql("spark")).collect()]
        if not found:
            raise _no_rows(gate, rows)
        overall, *others = found
        if overall["unfit"]:
            raise InvalidRequestError(
                f"{overall['unfit']} rows have a label that is neither 0 nor 1, and the scores are probabilities",
                where=f"{rows.relation}, column {gate.label}",
                fix="make it 1 where the model's second class came true, else 0",
            )
        if probabilities:
            overall |= spark.sql(areas(of, "spark").sql("spark")).collect()[0].asDict()
        behaviour = _behaviour(spark, gate, rows, view, _by_column(champion, challenger))
    return Evidence(overall, tuple(others), behaviour)


def behaviour_of(spark: Any, gate: Gate, rows: Rows, version: Version) -> Sequence[Mapping[str, Any]]:
    """What comes of a gate's checks of behaviour for one version, as `results.keep` takes it.

    Args:
        spark: A session.
        gate: Its checks, and what its label is.
        rows: On which rows.
        version: The version.

    Raises:
        PenstockError: As for `evidence_of`.
    """
    with _scored(spark, gate, rows, _by_column(None, version)) as view:
        return _behaviour(spark, gate, rows, view, _by_column(None, version))


def _by_column(champion: Version | None, challenger: Version) -> dict[str, Version]:
    """The versions by the columns of their scores."""
    return {**({} if champion is None else {_CHAMPION: champion}), _CHALLENGER: challenger}


@contextmanager
def _scored(spark: Any, gate: Gate, rows: Rows, versions: Mapping[str, Version]) -> Iterator[str]:
    """Within, a view of the rows with the scores of each version, those of changed rows too."""
    frame = _chosen(spark, gate, rows)
    named = dict.fromkeys(columns_of(gate.behaviour, frame.columns, rows.relation))
    own = {each.lower() for each in gate.slices}
    columns = [*gate.slices, *(each for each in named if each.lower() not in own)]
    scores = [f"{_score(version, rows, frame)} AS {name}" for name, version in versions.items()]
    for at, changes in changes_of(gate.behaviour).items():
        for version in versions.values():
            scores.append(f"{_score(version, rows, frame, changes)} AS {second(at, version)}")
    label = f"CAST({quoted(gate.label)} AS DOUBLE) AS {_LABEL}"
    with _kept(frame.selectExpr(label, *map(quoted, columns), *scores)) as view:
        yield view


def _behaviour(
    spark: Any, gate: Gate, rows: Rows, view: str, versions: Mapping[str, Version]
) -> Sequence[Mapping[str, Any]]:
    if not gate.behaviour:
        return ()
    challenger = versions[_CHALLENGER]
    threshold = gate.threshold if usual_part(challenger.description) == PROBABILITY else None
    query = behaviour_sql(gate.behaviour, view, versions, label=_LABEL, threshold=threshold)
    reading = {"label": gate.label, "matured": gate.matured, "threshold": threshold}
    declared = {each.name: json.dumps(asdict(each) | reading, sort_keys=True) for each in gate.behaviour}
    about = {"model": gate.model, "relation": rows.relation, "relation_version": rows.version}
    found = [row.asDict() for row in spark.sql(query).collect()]
    return tuple(
        {
            **each,
            **about,
            "unseen_since": rows.since,
            "declared": declared[each["name"]],
            "is_challenger": each["version"] == challenger.version,
        }
        for each in found
    )


def _worst(query: exp.Select, gate: Gate) -> exp.Select:
    order = [
        exp.Ordered(this=exp.column("slice").is_(exp.null()), desc=True, nulls_first=False),
        exp.Ordered(this=exp.column("compared") >= gate.min_slice_rows, desc=True, nulls_first=False),
        exp.Ordered(this=exp.column("gain"), nulls_first=False),
        exp.Ordered(this=exp.column("slice"), nulls_first=True),
        exp.Ordered(this=exp.column("value"), nulls_first=True),
    ]
    return exp.select("*").from_(query.subquery("compared")).order_by(*order).limit(WORST + 1)


def _part(champion: Version | None, challenger: Version) -> str:
    """The one number that both versions give for a row."""
    who = f"model {challenger.model}"
    parts = {usual_part(each.description): each.version for each in (champion, challenger) if each is not None}
    if len(parts) > 1:
        told = " and ".join(f"version {version} gives {part}" for part, version in parts.items())
        raise InvalidRequestError(f"{told}: their losses do not compare", where=who, fix="promote it with --force")
    [part] = parts
    kind = part_type(part, challenger.description, who)
    if kind not in ("DOUBLE", "FLOAT", "INT", "BIGINT"):
        raise InvalidRequestError(
            f"version {challenger.version} gives {part} {kind}, of which there is no loss",
            where=who,
            fix="a gate is for a probability of two classes, or for a number",
        )
    return part


def _chosen(spark: Any, gate: Gate, rows: Rows) -> Any:
    """The rows with a final label that neither version was trained on."""
    frame = spark.read.option("versionAsOf", rows.version).table(rows.relation)
    types = {name.lower(): kind for name, kind in frame.dtypes}
    named = {"label": gate.label, "time": gate.time, "matured": gate.matured}
    for key, name in [*named.items(), *(("slices", each) for each in gate.slices)]:
        if name and name.lower() not in types:
            raise UnknownNameError.of("column", name, frame.columns, where=f"{rows.relation}, {key} of the gate")
    for key, wanted in _TAKEN.items():
        kind = types.get(named[key].lower(), wanted[0])
        if kind.partition("(")[0] not in wanted:
            raise InvalidDefinitionError(
                f"column '{named[key]}' is {kind.upper()}",
                where=f"{rows.relation}, {key} of the gate",
                fix=f"{key} names a column of type {', '.join(wanted).upper()}",
            )
    if gate.matured:
        frame = frame.where(quoted(gate.matured))
    if rows.since is not None:
        since = exp.cast(exp.Literal.string(rows.since.isoformat(" ")), "timestamp").sql("spark")
        frame = frame.where(f"{quoted(gate.time)} >= {since}")
    return frame


def _score(version: Version, rows: Rows, frame: Any, changes: Mapping[str, exp.Expr] | None = None) -> str:
    """The score as a call of the version's function would give it; a row that it cannot score has none.

    With changes it is that of other values of these columns.
    """
    alias = f"v{version.version}"
    types = {name.lower(): kind for name, kind in frame.dtypes}
    for each in version.description.inputs:
        where = f"{rows.relation}, which version {version.version} of model {version.model} is to score"
        kind = types.get(each.name.lower())
        if kind is None:
            raise UnknownNameError.of("column", each.name, frame.columns, where=where)
        if not _fits(kind, each.type):
            raise InvalidDefinitionError(
                f"column '{each.name}' is {kind.upper()}, and the version takes {each.type}",
                where=where,
                fix=f"CAST(… AS {each.type}) in that model, if that keeps what it means",
            )
    skips = "fail" if version.engine == SPARK_ML else "skip"
    function = Function(f"gate_of_{version.model}", version.model, alias, on_error=skips)
    changed = {name.lower(): value for name, value in (changes or {}).items()}
    given = {name: changed.get(name.lower(), exp.column(name, quoted=True)) for name in frame.columns}
    return body(function, {alias: version.held(alias)}, given)


def _fits(given: str, wanted: str) -> bool:
    """Whether a column's values are the input's; a number of any kind may become a float."""
    wanted = wanted.lower()
    if wanted in ("double", "float"):
        return given.partition("(")[0] in _NUMBER
    if wanted in _WHOLE:
        return given in _WHOLE[: _WHOLE.index(wanted) + 1]
    return given.replace(" ", "") == wanted.replace(" ", "")


@contextmanager
def _kept(frame: Any) -> Iterator[str]:
    """Within, a view of the frame's rows, which are made once and stay where they were made."""
    name = f"penstock_gate_{uuid.uuid4().hex}"
    frame = frame.persist()
    frame.createOrReplaceTempView(name)
    try:
        yield name
    finally:
        frame.sparkSession.catalog.dropTempView(name)
        frame.unpersist()


def _no_rows(gate: Gate, rows: Rows) -> InvalidRequestError:
    trained = f" of {rows.since} or later, which neither version was trained on" if rows.since is not None else ""
    return InvalidRequestError(
        f"there is no row with a final label{trained}",
        where=f"{rows.relation} version {rows.version}",
        fix=f"wait for labels in '{gate.label}', and build that model again",
    )
