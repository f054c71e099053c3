"""`penstock gate`, `promote`, `rollback` and `ledger` before Spark is started; and how a decision is shown."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from click.testing import CliRunner, Result

from penstock.cli import command_line
from penstock.monitoring.gates import promotion
from penstock.monitoring.gates.decide import Decision
from penstock.monitoring.gates.ledger import COLUMNS
from penstock.project import Project
from penstock.project_gates import Gates

if TYPE_CHECKING:
    from pathlib import Path

GATE = {"evaluate": "seen", "label": "is_late", "time": "at", "loss": "log_loss"}


def node(name: str, kind: str = "model", **meta: Any) -> dict[str, Any]:
    return {
        "name": name, "resource_type": kind, "unique_id": f"{kind}.p.{name}", "relation_name": f"`penstock`.`{name}`",
        "original_file_path": f"models/{name}.yml", "config": {"meta": {"penstock": meta}},
    }  # fmt: skip


@pytest.fixture
def project(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """A project of these nodes, which a test may add to."""
    monkeypatch.chdir(tmp_path)
    nodes = {each["unique_id"]: each for each in (node("delay", gate=GATE), node("seen"), node("no_drift", "test"))}
    groups = {"group.p.crew": {"name": "crew", "owner": {"name": "Ada", "email": "ada@example.com"}}}
    nodes["model.p.delay"]["config"]["group"] = "crew"
    nodes["test.p.no_drift"]["attached_node"] = "model.p.delay"
    monkeypatch.setattr(Project, "dbt_manifest", {"nodes": nodes, "groups": groups})
    return nodes


def run(*words: str) -> Result:
    return CliRunner().invoke(command_line(), words)


def test_a_forced_promotion_says_why(project: dict[str, Any]) -> None:
    for words in (("--force",), ("--reason", "better")):
        done = run("promote", "delay", "3", *words)
        assert done.exit_code == 2
        assert "--force and --reason go together" in done.stderr


@pytest.mark.parametrize("command", ["gate", "behaviour", "ledger"])
def test_a_model_without_a_gate_is_told(project: dict[str, Any], command: str) -> None:
    done = run(command, "dely", "--json")
    error = json.loads(done.stderr)["error"]
    assert (done.exit_code, error["what"], error["near"]) == (1, "unknown gate 'dely'", ["delay"])


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"tests": ["no_drfit"]}, "unknown test 'no_drfit'\n  where: models/other.yml, gate\n  did you mean: no_drift"),
        ({"evaluate": "sen"}, "unknown model 'sen'\n  where: models/other.yml, evaluate\n  did you mean: seen"),
        ({"model": "delay"}, "model 'delay' has two gates\n  where: models/other.yml"),
        ({"alpha": 2}, "alpha is 2.0\n  where: models/other.yml, gate"),
    ],
)
def test_a_gate_that_is_wrong_is_told_before_spark_starts(project: dict[str, Any], more: Any, said: str) -> None:
    project["model.p.other"] = node("other", gate=GATE | more)
    done = run("gate", "other")
    assert done.exit_code == 1
    assert said in done.stderr


def test_results_are_those_of_the_last_invocation_of_dbt(project: dict[str, Any], tmp_path: Path) -> None:
    gates = Project(tmp_path).gates
    assert gates.results() == {}
    (tmp_path / "target").mkdir()
    results = [{"unique_id": "test.p.no_drift", "status": "pass"}, {"unique_id": "model.p.seen", "status": "success"}]
    (tmp_path / "target" / "run_results.json").write_text(json.dumps({"results": results}))
    assert gates.results() == {"no_drift": "pass"}


def test_a_refusal_is_shown_with_its_conditions_and_ends_with_1(
    project: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    conditions = [
        {"name": "better_by", "value": -0.01, "bound": 0.0, "passed": False, "told": "worse by 0.01"},
        {"name": "test no_drift", "value": None, "bound": None, "passed": False, "told": "fail"},
        {"name": "approval", "value": None, "bound": None, "passed": True, "told": "approved by ada"},
    ]
    cell = {"slice": "carrier", "value": "HA", "compared": 342, "champion_loss": 0.4, "challenger_loss": 0.5}
    row = {
        "gate_id": "g1", "model": "delay", "champion": 1, "challenger": 2, "relation": "penstock.seen",
        "relation_version": 7, "unseen_since": None, "conditions": conditions, "verdict": "refused",
        "slices": [cell | {"gain": -0.1, "p": 0.02}],
    }  # fmt: skip
    monkeypatch.setattr(Gates, "decide", lambda *_, **__: Decision(row))
    done = run("gate", "delay")
    assert done.exit_code == 1
    assert "delay version 2, beside version 1, which is live\non penstock.seen version 7\n" in done.stdout
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["better_by", "REFUSED", "-0.01", "0", "worse", "by", "0.01"] in lines
    assert ["approval", "passed", "approved", "by", "ada"] in lines
    assert ["carrier", "HA", "342", "0.4", "0.5", "-0.1", "0.02"] in lines
    owner = "crew (Ada, ada@example.com)"
    assert done.stdout.endswith(f"gate g1: refused\nowner of model delay: {owner}\nowner of test no_drift: {owner}\n")
    monkeypatch.setattr(Gates, "decide", lambda *_, **__: Decision(row | {"verdict": "passed"}))
    passed = run("gate", "delay")
    assert (passed.exit_code, "owner" in passed.stdout) == (0, False)


def test_a_refused_promotion_names_the_owner(project: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise promotion.GateRefuses("no gate has judged it", where="model delay", fix="penstock gate delay")

    monkeypatch.setattr(Project, "spark", None)
    monkeypatch.setattr(promotion, "promote_by_gate", refuse)
    done = run("promote", "delay", "3")
    assert done.exit_code == 1
    assert "no gate has judged it\n  where: model delay, owned by crew (Ada, ada@example.com)\n" in done.stderr


def test_behaviour_is_shown_and_ends_with_1_where_it_is_bad(
    project: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    row = {
        "name": "twins", "kind": "symmetric_pairs", "version": 3, "passed": False, "value": 0.25, "low": 0.2,
        "high": 0.3, "bound": 0.1, "rest": None, "rows": 812, "unjudged": 0, "relation": "penstock.seen",
    }  # fmt: skip
    monkeypatch.setattr(Gates, "behave", lambda *_: (row,))
    done = run("behaviour", "delay")
    assert (done.exit_code, "delay version 3, on penstock.seen\n" in done.stdout) == (1, True)
    assert ["twins", "REFUSED", "0.25", "0.2", "0.3", "0.1", "812", "0"] in [
        line.split() for line in done.stdout.splitlines()
    ]
    monkeypatch.setattr(Gates, "behave", lambda *_: (row | {"passed": True},))
    done = run("behaviour", "delay", "--json")
    assert (done.exit_code, json.loads(done.stdout)[0]["value"]) == (0, 0.25)


def test_a_ledger_is_shown_with_the_bounds_of_each_gain(
    project: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = dict.fromkeys(COLUMNS)
    gained = {"promised": 0.094, "promised_low": 0.069, "promised_high": 0.119, "realised": 0.05, "compared": 812}
    rows = [
        empty | {"version": 1, "reason": "first version"},
        empty | gained | {"version": 2, "before": 1, "reason": "gate e4d0694c-6a9f", "gate_id": "e4d0694c-6a9f"},
    ]
    monkeypatch.setattr(Gates, "ledger", lambda *_: pa.Table.from_pylist(rows))
    shown = [" ".join(line.split()) for line in run("ledger", "delay").stdout.splitlines()]
    assert "NULL 1 NULL first version NULL" in shown
    assert "NULL 2 1 gate e4d0694c 0.094 (0.069 to 0.119) 0.05 812" in shown
