"""What of a project belongs to a model: found in dbt's manifest, from what its nodes declare and call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from penstock.errors import InvalidDefinitionError, UnknownNameError
from penstock.manifest.meta import declared_in
from penstock.monitoring.drift.distances import STATISTICS
from penstock.monitoring.gates.definition import Gate, parse_gate
from penstock.monitoring.record.logged import log_of
from penstock.monitoring.report.definition import Declared, parse_report
from penstock.monitoring.report.lineage import Lineage, lineage_of
from penstock.monitoring.report.macro_calls import DRIFT, LABELS, Ref, call_of

Raw = Mapping[str, Any]


@dataclass(frozen=True)
class Owner:
    """A dbt group: its name, and who is behind it, empty where that is not said."""

    group: str
    name: str = ""
    email: str = ""


@dataclass(frozen=True)
class DriftTable:
    """A model of `penstock.drift` that is about the model.

    Attributes:
        name: Of the dbt model.
        relation: Its table.
        tiles, baseline, edges: The tables that it compares; empty where its code does not say by a literal `ref`.
        window, bucket: The length of its windows, and of the buckets that they end with.
        alpha, effect, min_effect: From when on its test `no_drift` calls a change a drift; else that test's defaults.
    """

    name: str
    relation: str
    tiles: str = ""
    baseline: str = ""
    edges: str = ""
    window: str = "7 days"
    bucket: str = "day"
    alpha: float = 0.01
    effect: str = "js"
    min_effect: float = 0.1


@dataclass(frozen=True)
class Scored:
    """The rows from which performance is shown.

    Attributes:
        name: Of the dbt model.
        relation: Its table.
        score, label, time: Its columns.
        final: The column of the time from which on a label is final; empty where a label that is there is.
        slices: The columns of slices.
        is_record: Whether it is a table of labels of logged predictions, of any model and role.
    """

    name: str
    relation: str
    score: str = "prediction"
    label: str = "label"
    time: str = "at"
    final: str = ""
    slices: tuple[str, ...] = ()
    is_record: bool = False


@dataclass(frozen=True)
class DataTest:
    """A dbt test of what belongs to a model: its id, name, and the dbt model that it is on."""

    id: str
    name: str
    on: str


@dataclass(frozen=True)
class Belonging:
    """What belongs to a model.

    Attributes:
        model: The registered name.
        node: The dbt node that trains it, or declares its gate or report; None where there is none.
        description: What that node says.
        record: The table of that node, a row a version, if it trains.
        owner: The group of that node.
        gate: Its gate.
        declared: Its report.
        scored: Where performance is read.
        logs: The dbt models that log its predictions.
        drifts: Its tables of drift.
        lineage: From sources to what is made with it.
        tests: The dbt tests of what belongs to it.
    """

    model: str
    node: str | None
    description: str
    record: str
    owner: Owner | None
    gate: Gate | None
    declared: Declared
    scored: Scored | None
    logs: tuple[str, ...]
    drifts: tuple[DriftTable, ...]
    lineage: Lineage
    tests: tuple[DataTest, ...]


def models_in(manifest: Raw) -> list[str]:
    """The registered models that nodes of a project declare something of.

    Raises:
        PenstockError: when a declaration is wrong.
    """
    found = []
    for node in _nodes(manifest):
        gate, report = _gate(node), _report(node)
        found += [each.model for each in (gate, report) if each is not None]
        found += [node["name"]] if declared_in(node["config"].get("meta"), "functions") is not None else []
    return list(dict.fromkeys(found))


def belonging_to(manifest: Raw, model: str) -> Belonging:
    """What belongs to a model.

    A table of drift does that descends from the node of the model, a table of labels that is of its predictions.

    Args:
        manifest: dbt's.
        model: The registered name.

    Raises:
        UnknownNameError: when a declaration names a dbt model that there is not.
        InvalidDefinitionError: when a declaration is wrong, or there are two of one model.
    """
    nodes = list(_nodes(manifest))
    known = {each["name"]: each for each in nodes}
    gated = _only([each for each in nodes if (gate := _gate(each)) and gate.model == model], model, "gates")
    told = _only([each for each in nodes if (report := _report(each)) and report.model == model], model, "reports")
    home = known.get(model) or told or gated
    declared = (_report(told) if told is not None else None) or Declared(model)
    lineage = lineage_of(manifest, home["unique_id"]) if home is not None else Lineage()
    downstream = [each for each in nodes if each["unique_id"] in lineage.downstream]
    scored: Scored | None
    if declared.rows:
        scored = _declared_rows(declared, known, told)
    else:
        scored = next((rows for each in nodes if (rows := _labels(each, model, each in downstream))), None)
    drifts = tuple(table for each in downstream if (table := _drift(each, known, manifest)))
    logs = [each["name"] for each in downstream if _logs_predictions(each)]
    gate = _gate(gated) if gated is not None else None
    near = {home["unique_id"], *home["depends_on"].get("nodes", ()), *lineage.downstream} if home is not None else set()
    named = {*(gate.tests if gate else ()), *([declared.rows] if declared.rows else ())}
    named |= {gate.evaluate} if gate else set()
    near |= {known[name]["unique_id"] for name in named & known.keys()}
    return Belonging(
        model=model,
        node=home["name"] if home is not None else None,
        description=home["description"] if home is not None else "",
        record=str(home["relation_name"]) if home is not None and home["name"] == model else "",
        owner=_owner(manifest, home) if home is not None else None,
        gate=gate,
        declared=declared,
        scored=scored,
        logs=tuple(logs),
        drifts=drifts,
        lineage=lineage,
        tests=tuple(_tests(manifest, near, named)),
    )


def _nodes(manifest: Raw) -> Iterator[Raw]:
    return (each for each in manifest["nodes"].values() if each["resource_type"] in ("model", "seed", "snapshot"))


def _gate(node: Raw) -> Gate | None:
    given = declared_in(node["config"].get("meta"), "gate")
    return None if given is None else parse_gate(given, model=node["name"], where=node["original_file_path"])


def _report(node: Raw) -> Declared | None:
    given = declared_in(node["config"].get("meta"), "report")
    return None if given is None else parse_report(given, model=node["name"], where=node["original_file_path"])


def _only(found: Sequence[Raw], model: str, what: str) -> Raw | None:
    if len(found) > 1:
        where = found[1]["original_file_path"]
        raise InvalidDefinitionError(f"model '{model}' has two {what}", where=where, fix="declare one")
    return found[0] if found else None


def _declared_rows(declared: Declared, known: Mapping[str, Raw], told: Raw | None) -> Scored:
    if declared.rows not in known:
        where = f"{told['original_file_path'] if told else ''}, report, rows"
        raise UnknownNameError.of("model", declared.rows, known, where=where)
    columns = {name: getattr(declared, name) for name in ("score", "label", "time", "final", "slices")}
    return Scored(declared.rows, str(known[declared.rows]["relation_name"]), **columns)


def _labels(node: Raw, model: str, is_downstream: bool) -> Scored | None:
    call = call_of(node, "labels", LABELS)
    if call is None or call.get("model", model if is_downstream else None) != model:
        return None
    return Scored(node["name"], str(node["relation_name"]), final="final_at", is_record=True)


def _drift(node: Raw, known: Mapping[str, Raw], manifest: Raw) -> DriftTable | None:
    call = call_of(node, "drift", DRIFT)
    if call is None:
        return None
    tables: dict[str, Any] = {
        name: str(known[given.name]["relation_name"])
        for name in ("tiles", "baseline", "edges")
        if isinstance(given := call.get(name), Ref) and given.name in known
    }
    spans: dict[str, Any] = {name: str(call[name]) for name in ("window", "bucket") if call.get(name) is not None}
    return DriftTable(node["name"], str(node["relation_name"]), **tables, **spans, **_limits(node, manifest))


def _limits(node: Raw, manifest: Raw) -> dict[str, Any]:
    """From when on the table's test calls a change a drift."""
    for test in manifest["nodes"].values():
        told = test.get("test_metadata") or {}
        if told.get("name") == "no_drift" and test.get("attached_node") == node["unique_id"]:
            given = told["kwargs"]
            limits: dict[str, Any] = {
                name: float(given[name]) for name in ("alpha", "min_effect") if isinstance(given.get(name), int | float)
            }
            return limits | ({"effect": given["effect"]} if given.get("effect") in STATISTICS else {})
    return {}


def _logs_predictions(node: Raw) -> bool:
    return log_of(node["config"].get("meta"), where=node["original_file_path"]) == "predictions"


def _owner(manifest: Raw, node: Raw) -> Owner | None:
    group = node["config"].get("group")
    if not group:
        return None
    for each in (manifest.get("groups") or {}).values():
        if each["name"] == group:
            owner = each.get("owner") or {}
            return Owner(group, str(owner.get("name") or ""), str(owner.get("email") or ""))
    return Owner(group)


def _tests(manifest: Raw, near: set[str], named: set[str]) -> Iterator[DataTest]:
    names = {unique_id: each["name"] for unique_id, each in manifest["nodes"].items()}
    tests = {id_: each for id_, each in manifest["nodes"].items() if each["resource_type"] == "test"}
    for unique_id, test in tests.items():
        on = [each for each in test["depends_on"]["nodes"] if each in near]
        if on or test["name"] in named:
            yield DataTest(unique_id, test["name"], names.get(test.get("attached_node") or (on or [""])[0], ""))
