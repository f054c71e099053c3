"""`penstock training check`, over compiled models as dbt's manifest holds them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from penstock.cli import training_check as command
from penstock.errors import EnvironmentProblem, UnknownNameError
from penstock.manifest.model import SemanticManifest
from penstock.project import Project


def node(name: str, sql: str | None, language: str = "sql", **request: Any) -> dict[str, Any]:
    meta = {f"penstock.{name}": request} if request else {}
    kind = {"resource_type": "model", "language": language, "name": name, "config": {"meta": meta}}
    return {**kind, "compiled_code": sql} if sql else kind


@pytest.fixture(autouse=True)
def project(monkeypatch: pytest.MonkeyPatch) -> Project:
    ahead = "WITH {} AS (SELECT *, LEAD(y) OVER (ORDER BY at) AS next FROM labels) SELECT * FROM {}"
    nodes = [
        node("fine", "SELECT * FROM labels"),
        node("ahead", ahead.format("rows_asked", "rows_asked")),
        node("made", ahead.format("_spine", "_spine"), kind="training_set"),
        node("other", ahead.format("_spine", "_spine"), kind="metrics"),
        node("new", None),
        node("trained", "def model(dbt, session): …", "python"),
        {"resource_type": "test", "name": "a_test", "config": {}},
    ]
    project = Project()
    project.__dict__["dbt_manifest"] = {"nodes": {str(i): n for i, n in enumerate(nodes)}}
    project.__dict__["definitions"] = SemanticManifest({}, {})
    monkeypatch.setattr(command, "Project", lambda **_: project)
    return project


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command.check, arguments)


def test_findings_are_told_with_an_exit_code() -> None:
    told = run("ahead")
    assert told.exit_code == 1
    first, second, third, last = told.output.splitlines()
    assert first == "rows_asked: LEAD(y) OVER (ORDER BY at)"
    assert second.startswith("  window: ")
    assert third.startswith("  fix: ")
    assert last == "1 findings"


def test_nothing_found_is_said() -> None:
    told = run("fine")
    assert (told.exit_code, told.output) == (0, "no findings\n")


def test_a_spine_may_look_ahead() -> None:
    assert run("ahead", "--spine", "rows_asked").exit_code == 0
    assert run("made").exit_code == 0  # it names its spine itself
    assert run("other").exit_code == 1


def test_as_json() -> None:
    (found,) = json.loads(run("ahead", "--json").output)
    assert {k: found[k] for k in ("kind", "place")} == {
        "kind": "window",
        "place": "rows_asked: LEAD(y) OVER (ORDER BY at)",
    }


def test_what_has_no_sql_is_told() -> None:
    missing = run("new").exception
    assert isinstance(missing, EnvironmentProblem)
    assert missing.fix == "dbt compile --select new"
    assert isinstance(run("trained").exception, EnvironmentProblem)
    unknown = run("fime").exception
    assert isinstance(unknown, UnknownNameError)
    assert unknown.near[0] == "fine"
    assert isinstance(run("a_test").exception, UnknownNameError)
