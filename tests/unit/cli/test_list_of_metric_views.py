"""`penstock metric-views`, over the small shop and a project with two metric views of its orders."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from penstock.cli import command_line
from penstock.cli import metric_views as command
from penstock.project import Project

sys.path.append(str(Path(__file__).parents[1] / "semantic"))

from measured_shop import MANIFEST


def node(name: str, kind: str, **request: Any) -> dict[str, Any]:
    """A model as dbt's manifest holds it, with what it asks of the compiler."""
    return {"name": name, "config": {"meta": {f"penstock.{name}": {"kind": kind} | request, "owner": "us"}}}


@pytest.fixture
def project() -> Project:
    nodes = [
        node("all_of_it", "metric_view", semantic_model="Orders", metrics=[], dimensions=[]),
        node("paid", "metric_view", semantic_model="orders", metrics=["paid_revenue"], dimensions=["customer"]),
        node("few", "metric_view", semantic_model="orders", metrics=["revenue", "buyers"], dimensions=[]),
        node("report", "metrics", metrics=["revenue"]),
        {"name": "plain", "config": {}},
    ]
    project = Project()
    project.__dict__["dbt_manifest"] = {"nodes": {str(i): n for i, n in enumerate(nodes)}}
    project.__dict__["definitions"] = MANIFEST
    return project


def test_metrics_know_their_views(project: Project) -> None:
    found = project.metric_views()
    assert found.keys() == {"orders", "refunds", "visits", "balances"}
    views = {m.name: m.views for m in found["orders"]}
    assert views["revenue"] == ("all_of_it", "few")
    assert views["gift_share"] == ("all_of_it",)
    assert views["paid_revenue"] == ("paid",)
    assert views["revenue_mom"] == ()
    reasons = {m.name: m.reason for m in found["orders"]}
    # another view than the first may have what the first can't
    assert reasons["paid_revenue"] is None
    assert "offset" in (reasons["revenue_mom"] or "")


def test_the_list_tells_views_and_reasons(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "Project", lambda: project)
    printed = CliRunner().invoke(command_line(), ["metric-views"], catch_exceptions=False).output
    lines = {line.split()[0]: line.split() for line in printed.splitlines() if line.strip()}
    assert lines["revenue"] == ["revenue", "yes", "all_of_it,", "few"]
    assert lines["last_balance"][:3] == ["last_balance", "no", "it"]
    assert lines["visits"][:2] == ["visits", "yes"]


def test_json_has_them_all(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "Project", lambda: project)
    printed = CliRunner().invoke(command_line(), ["metric-views", "--json"], catch_exceptions=False).output
    found = {each["metric"]: each for each in json.loads(printed) if each["semantic_model"] == "orders"}
    assert found["revenue"] == {
        "semantic_model": "orders", "metric": "revenue", "views": ["all_of_it", "few"], "reason": None,
    }  # fmt: skip
    assert found["revenue_mom"]["views"] == []
    assert "offset" in found["revenue_mom"]["reason"]
