"""`penstock loop`: what it says of a project before Spark is started, how a loop is shown, and its exit codes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from penstock.cli import command_line
from penstock.monitoring.loop import runs
from penstock.monitoring.loop.triggers import Trigger
from penstock.project import Project
from penstock.project_loop import Loops

if TYPE_CHECKING:
    from pathlib import Path

GATE = {"evaluate": "seen", "label": "is_late", "time": "at", "loss": "log_loss"}
NOW = datetime(2026, 1, 8, 12, tzinfo=UTC)


def node(name: str, kind: str = "model", **meta: Any) -> dict[str, Any]:
    return {
        "name": name, "resource_type": kind, "unique_id": f"{kind}.p.{name}", "relation_name": f"`penstock`.`{name}`",
        "original_file_path": f"models/{name}.yml", "config": {"meta": {"penstock": meta}},
    }  # fmt: skip


@pytest.fixture
def project(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """A project of these nodes, which a test may add to."""
    monkeypatch.chdir(tmp_path)
    declared = (node("delay", gate=GATE, loop={"labels": 9}), node("seen"), node("no_drift", "test"))
    nodes = {each["unique_id"]: each for each in declared}
    monkeypatch.setattr(Project, "dbt_manifest", {"nodes": nodes})
    return nodes


def run(*words: str) -> Result:
    return CliRunner().invoke(command_line(), ["loop", *words])


def test_a_model_without_a_loop_is_told(project: dict[str, Any]) -> None:
    done = run("dely", "--json")
    error = json.loads(done.stderr)["error"]
    assert (done.exit_code, error["what"], error["near"]) == (1, "unknown loop 'dely'", ["delay"])


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ({"drift": "no_drfit"}, "unknown test 'no_drfit'\n  where: models/other.yml, loop, drift"),
        ({"labels": {"new": 1, "in": "sen"}}, "unknown model 'sen'\n  where: models/other.yml, loop, labels"),
        ({"every": "soon"}, "'soon' is no length of time\n  where: models/other.yml, loop, every"),
    ],
)
def test_a_loop_that_is_wrong_is_told_before_spark_starts(project: dict[str, Any], declared: Any, said: str) -> None:
    project["model.p.other"] = node("other", gate=GATE, loop=declared)
    done = run("delay")
    assert done.exit_code == 1
    assert said in done.stderr


def test_a_loop_needs_a_gate(project: dict[str, Any]) -> None:
    project["model.p.other"] = node("other", loop={"labels": 1})
    assert "a loop without a gate\n  where: models/other.yml, loop" in run("delay").stderr


@pytest.mark.parametrize(
    ("state", "code"),
    [(runs.PROMOTED, 0), (runs.NOTHING_NEW, 0), (runs.NOT_DUE, 0), (runs.REFUSED, 1), (runs.WAITING, 3)],
)
def test_what_a_loop_comes_to_is_shown_and_told_by_the_exit_code(
    project: dict[str, Any], monkeypatch: pytest.MonkeyPatch, state: str, code: int
) -> None:
    came = runs.Run(
        "delay", state, (Trigger("labels", True, 12.0, 9.0, "12 labels of seen are new, 9 asked for"),), NOW,
        loop_id="l1", challenger=2, steps=(runs.Step("build", "version 2 was trained", NOW),),
    )  # fmt: skip
    asked: list[Any] = []
    monkeypatch.setattr(Loops, "run", lambda self, *given, **how: asked.append((given, how)) or came)
    done = run("delay", "--now", "--approved-by", "anna")
    assert done.exit_code == code, done.output
    assert asked == [(("delay",), {"now": True, "approved_by": "anna"})]
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert "start 12 labels of seen are new, 9 asked for" in lines
    assert "build version 2 was trained" in lines
    assert f"delay: {state}, loop l1" in lines
    assert ("penstock loop delay --approved-by NAME goes on" in lines) == (state == runs.WAITING)
    done = run("delay", "--json")
    [told] = json.loads(done.stdout)
    assert (done.exit_code, told["state"], told["started_at"]) == (code, state, "2026-01-08T12:00:00+00:00")
    assert told["triggers"][0]["due"] is True and told["steps"][0]["step"] == "build"
