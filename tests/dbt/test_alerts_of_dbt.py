"""A table that dbt builds is not as usual: from the folder's one line in YAML to the webhook and the page."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from local_project import PROJECT_FILE, LocalProject
from penstock.cli import command_line
from penstock.monitoring.alerts.tables import ALERTS, SENT
from penstock.monitoring.alerts.webhook import VARIABLE
from webhooks import Webhook

FILES = {
    "dbt_project.yml": PROJECT_FILE.replace("models: {+file_format: delta}\n", "")
    + """
vars: {n: 40}
models:
  +file_format: delta
  penstock:
    flow:
      +group: crew
      +materialized: table
      +meta: {penstock: {as_usual: {min_past: 3, past: 3, alpha: 0.2}}}
""",
    "models/groups.yml": "groups: [{name: crew, owner: {name: Ada, email: ada@example.com}}]",
    "models/flow/visits.sql": "select id{% if var('n') > 9 %}, 1 as size{% endif %} from range({{ var('n') }})",
    "models/flow/view_of_visits.sql": "{{ config(materialized='view') }} select * from {{ ref('visits') }}",
    "models/flow/untested.sql": "{{ config(meta={'penstock': {'as_usual': false}}) }} select 1 as x",
}
OWNER = "crew (Ada, ada@example.com)"


@pytest.fixture
def project(tmp_path: Path) -> Iterator[LocalProject]:
    project = LocalProject(tmp_path, FILES, "alerts_of_dbt")
    with contextlib.chdir(tmp_path):
        yield project


def penstock(*words: str) -> Result:
    return CliRunner().invoke(command_line(), words, catch_exceptions=False)


def status(project: LocalProject, n: int) -> str:
    """Build with so many rows; what came of the one test."""
    done = project.dbt("build", "--vars", json.dumps({"n": n}))
    [test] = [each for each in done.result.results if each.node.resource_type == "test"]
    assert test.node.name == "visits_is_as_usual"
    return str(test.status)


def commits(project: LocalProject) -> list[int]:
    return [len(project.sql(f"DESCRIBE HISTORY {table.name}")) for table in (ALERTS, SENT)]


def test_a_table_that_is_not_as_usual_is_told_once_to_its_owner(
    project: LocalProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = Webhook()
    monkeypatch.setenv(VARIABLE, hook.url)
    assert [status(project, n) for n in (40, 41, 40)] == ["pass"] * 3
    for table in (ALERTS, SENT):
        project.sql(f"DROP TABLE IF EXISTS {table.name}")
    assert status(project, 2) == "fail"

    done = penstock("alerts", "--json")
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    assert done.exit_code == 1
    assert {(row["subject"], row["reason"], row["owner"], row["model"]) for row in rows} == {
        ("what=schema column_name=size", "new", OWNER, "visits"),
        ("what=volume", "new", OWNER, "visits"),
    }
    [volume] = [row for row in rows if row["subject"] == "what=volume"]
    assert volume["effect"] == pytest.approx(2 / 40 - 1)
    assert (volume["evidence"]["found"], volume["evidence"]["expected"]) == (2, 40)
    [(_, _, content)] = hook.got
    assert sorted(each["alert_id"] for each in content["alerts"]) == sorted(row["alert_id"] for row in rows)
    state = commits(project)
    assert penstock("alerts").exit_code == 1
    assert (commits(project), len(hook.got)) == (state, 1), "again, nothing changes"

    page = penstock("watch", "--once").stdout
    assert "no model is watched" in page
    assert "visits_is_as_usual" in page
    assert OWNER in page
    lines = {words[0]: words[1] for words in map(str.split, page.splitlines()) if len(words) > 1}
    assert (lines["visits"], lines["untested"]) == ("2", "1")

    assert status(project, 41) == "pass"
    done = penstock("alerts")
    assert done.exit_code == 0
    assert done.stdout.endswith("0 open; 2 resolved; 2 sent\n")
    assert "none is open" in penstock("watch").stdout
    hook.close()
