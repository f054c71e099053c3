"""What belongs to a model, by dbt's manifest; and what a project may declare of its report."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from dbt_common.exceptions import DbtRuntimeError
from reported import REPORT, manifest, node

from dbt_penstock import declarations
from penstock.errors import InvalidDefinitionError, PenstockError, UnknownNameError
from penstock.monitoring.report.belongs import DataTest, DriftTable, Owner, Scored, belonging_to, models_in
from penstock.monitoring.report.definition import Declared, parse_report
from penstock.monitoring.report.lineage import MOST, lineage_of
from penstock.monitoring.report.macro_calls import DRIFT, LABELS, Ref, call_of

GATE = {"evaluate": "scored", "label": "is_late", "time": "at", "loss": "log_loss"}
LABELLED = (
    "{{ config(materialized='incremental') }}"
    "{{ penstock.labels('late', horizon='2 days', model='delay', of=[ref('logging')]) }}"
)


def parsed(**declared: Any) -> Declared:
    return parse_report(declared, model="delay", where="models/delay.yml")


def test_a_whole_declaration() -> None:
    assert parsed(**REPORT, metrics=["log_loss"]) == Declared(
        "delay", "scored", "p_late", "is_late", "at", "final_at", ("carrier", "origin"), ("log_loss",)
    )
    assert parsed(model="other").model == "other"
    assert parsed(numbers=True).metrics == ("rmse", "mean_error")


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ([], "report is [], not a mapping"),
        ({"row": "scored"}, "unknown key 'row'\n  where: models/delay.yml, report\n  did you mean: rows"),
        ({"rows": "scored", "score": "p", "label": "y"}, "time is missing"),
        ({"rows": ""}, "rows is ''"),
        ({"slices": ["a"]}, "slices without rows"),
        ({"final": "final_at"}, "final without rows"),
        (REPORT | {"slices": []}, "slices is []"),
        (REPORT | {"slices": "carrier"}, "slices is 'carrier'"),
        (REPORT | {"slices": ["a", "A"]}, "'A' is named twice in slices"),
        ({"metrics": ["auk"]}, "unknown metric 'auk'\n  where: models/delay.yml, report, metrics\n  did you mean: auc"),
        ({"metrics": ["auc"], "numbers": True}, "unknown metric 'auc'"),
        ({"numbers": "yes"}, "numbers is 'yes'"),
    ],
)
def test_a_declaration_that_is_wrong_is_told_while_dbt_parses(declared: Any, said: str) -> None:
    with pytest.raises(PenstockError) as error:
        parse_report(declared, model="delay", where="models/delay.yml")
    assert said in str(error.value)
    config = SimpleNamespace(meta={"penstock": {"report": declared}})
    with pytest.raises(DbtRuntimeError, match=r"models/delay\.yml, report"):
        declarations.check([SimpleNamespace(config=config, name="delay", original_file_path="models/delay.yml")])


def test_what_is_not_declared_is_found() -> None:
    group = {"name": "punctuality", "owner": {"name": "Ada", "email": "ada@example.org"}}
    labels = node("labels", LABELLED, "logging")
    logging = node("logging", "select 1", "delay", meta={"log": "predictions"})
    tested = node("no_drift_1", "", "delay_drift", kind="test", attached_node="model.p.delay_drift")
    tested["test_metadata"] = {"name": "no_drift", "kwargs": {"alpha": 0.05, "min_effect": 0.2, "effect": "psi"}}
    elsewhere = node("other_test", "", "lonely", kind="test")
    project = manifest(labels, logging, tested, elsewhere, node("lonely"), gate=GATE)
    project["groups"] = {"group.p.punctuality": group}
    project["nodes"]["model.p.delay"]["config"]["group"] = "punctuality"
    found = belonging_to(project, "delay")
    assert found.owner == Owner("punctuality", "Ada", "ada@example.org")
    assert (found.node, found.record, found.description) == ("delay", "delay", "what delay is")
    assert found.scored == Scored("labels", "labels", final="final_at", is_record=True)
    assert found.logs == ("logging",)
    assert found.gate is not None and found.gate.evaluate == "scored"
    assert found.drifts == (
        DriftTable(
            "delay_drift",
            "delay_drift",
            "delay_tiles",
            "delay_baseline",
            "delay_edges",
            "7 days",
            "day",
            0.05,
            "psi",
            0.2,
        ),
    )
    assert found.tests == (DataTest("test.p.no_drift_1", "no_drift_1", "delay_drift"),)
    assert models_in(project) == ["delay"]


def test_rows_that_are_declared_come_before_the_record() -> None:
    labels = node("labels", LABELLED, "scored")
    found = belonging_to(manifest(labels, report=REPORT), "delay").scored
    assert found == Scored("scored", "scored", "p_late", "is_late", "at", "final_at", ("carrier", "origin"))


def test_labels_of_another_model_do_not_belong() -> None:
    of_another = LABELLED.replace("model='delay'", "model='other'")
    assert belonging_to(manifest(node("labels", of_another, "delay")), "delay").scored is None
    # Without a model they are of all predictions: they belong to those that they descend from.
    of_all = LABELLED.replace("model='delay', ", "")
    assert belonging_to(manifest(node("labels", of_all, "delay")), "delay").scored is not None
    assert belonging_to(manifest(node("labels", of_all, "flights")), "delay").scored is None


def test_a_model_that_was_trained_elsewhere_has_what_is_declared_of_it() -> None:
    elsewhere = node(
        "scores", "select 1", meta={"report": {**REPORT, "model": "bought"}, "gate": {**GATE, "model": "bought"}}
    )
    found = belonging_to(manifest(elsewhere), "bought")
    assert (found.node, found.record) == ("scores", "")
    assert found.declared.model == found.gate.model == "bought"  # type: ignore[union-attr]
    nothing = belonging_to(manifest(), "unheard")
    assert (nothing.node, nothing.scored, nothing.lineage.parts, nothing.tests) == (None, None, (), ())


def test_what_is_declared_wrong_of_the_project_is_told() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown model 'scord'\n.*report, rows\n.*did you mean: scored"):
        belonging_to(manifest(report=REPORT | {"rows": "scord"}), "delay")
    twice = node("other", "", meta={"report": {**REPORT, "model": "delay"}})
    with pytest.raises(InvalidDefinitionError, match="model 'delay' has two reports"):
        belonging_to(manifest(twice, report=REPORT), "delay")


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("{{ penstock.drift(ref('a'), ref('p', 'b'), edges=ref('c'), window=var('w')) }}",
         {"tiles": Ref("a"), "baseline": Ref("b"), "edges": Ref("c"), "window": None}),
        ("{% do log('x') %}{{penstock.drift(ref('a'))}}", {"tiles": Ref("a")}),
        ("{{ drift(ref('a')) }} -- penstock.drift", None),
        ("{# {{ penstock.drift(ref('a')) }} #}", None),
        ("{{ penstock.drift(ref('a')) }} union all {{ penstock.drift(ref('b')) }}", None),
        ("{% snapshot a %}{{ penstock.drift(ref('a')) }}{% endsnapshot %}", None),
        ("{{ penstock.drift(", None),
    ],
)  # fmt: skip
def test_calls_are_read_as_jinja_does(code: str, found: Any) -> None:
    assert call_of({"raw_code": code, "language": "sql"}, "drift", DRIFT) == found


def test_lists_are_read_and_python_is_not() -> None:
    call = call_of({"raw_code": LABELLED, "language": "sql"}, "labels", LABELS)
    assert call == {"kind": "late", "horizon": "2 days", "model": "delay", "of": [Ref("logging")]}
    assert call_of({"raw_code": LABELLED, "language": "python"}, "labels", LABELS) is None


def test_lineage_is_what_comes_before_and_after() -> None:
    lineage = lineage_of(manifest(node("lonely")), "model.p.delay")
    assert [(each.layer, each.name, each.kind) for each in lineage.parts] == [
        (0, "flights", "source"), (1, "flights", "table"), (2, "delay", "table"), (3, "delay_baseline", "table"),
        (3, "scored", "table"), (4, "delay_drift", "table"),
    ]  # fmt: skip
    assert lineage.downstream == {"model.p.delay_baseline", "model.p.delay_drift", "model.p.scored"}
    assert ("source.p.lake.flights", "model.p.flights") in lineage.edges
    assert lineage.left_out == 0


def test_of_a_large_lineage_the_nearest_are_left() -> None:
    many = [node(f"child_{at}", "", "delay") for at in range(50)]
    lineage = lineage_of(manifest(*many), "model.p.delay")
    assert len(lineage.parts) == MOST
    assert lineage.left_out == 56 - MOST
    assert {"delay", "flights"} <= {each.name for each in lineage.parts}
    assert "model.p.delay_drift" not in {each.id for each in lineage.parts}  # two steps away
    assert "model.p.delay_drift" in lineage.downstream
