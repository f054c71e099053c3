"""`penstock alerts` over the runs of a project, with a webhook, without Spark; test_alerts_table.py has the table."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result
from pyspark.errors import AnalysisException
from pyspark.sql import Row

from penstock.cli import command_line
from penstock.monitoring.alerts import record, webhook
from penstock.monitoring.alerts.states import OPEN, Alert, Before
from penstock.project import Project
from webhooks import SECRET, Webhook

if TYPE_CHECKING:
    from pathlib import Path


class Store:
    """What `ml.alerts` and `ml.alerts_sent` have, and the rows of the tests' queries."""

    def __init__(self) -> None:
        self.alerts: list[Alert] = []
        self.sent: set[str] = set()
        self.answers: dict[str, list[Any]] = {}

    def of_run(self, _: Any, invocation_id: str) -> list[Alert]:
        return [each for each in self.alerts if each.invocation_id == invocation_id]

    def log(self, _: Any, alerts: list[Alert]) -> None:
        self.alerts += alerts

    def open(self, _: Any, *, before: datetime | None = None) -> dict[Any, Before]:
        last: dict[Any, Before] = {}
        for each in self.alerts:
            if before is None or each.at < before:
                last[each.key] = Before(each, each if each.reason else last[each.key].told)
        return {key: each for key, each in last.items() if each.last.state == OPEN}

    def unsent(self, _: Any) -> list[Alert]:
        return [each for each in self.alerts if each.reason and each.id not in self.sent]

    def log_sent(self, _: Any, alerts: list[Alert]) -> None:
        self.sent |= {each.id for each in alerts}

    # As a session.
    def sql(self, statement: str) -> Store:
        if statement not in self.answers:
            raise AnalysisException("the table is gone")
        self._asked = self.answers[statement]
        return self

    def limit(self, n: int) -> Store:
        self._asked = self._asked[:n]
        return self

    def collect(self) -> list[Row]:
        return [Row(**each) for each in self._asked]


def node(unique_id: str, **more: Any) -> dict[str, Any]:
    kind, _, name = unique_id.split(".")
    return {"name": name, "resource_type": kind, "unique_id": unique_id, "config": {}, **more}


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Store:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(webhook.VARIABLE, raising=False)
    store = Store()
    nodes = [
        node("model.p.drift", group="delays"),
        node("test.p.no_drift", attached_node="model.p.drift"),
        node("test.p.other", depends_on={"nodes": ["model.p.drift"]}),
    ]
    groups = {"g": {"name": "delays", "owner": {"name": "Ada", "email": "ada@example.com"}}}
    manifest = {"nodes": {each["unique_id"]: each for each in nodes}, "groups": groups}
    monkeypatch.setattr(Project, "dbt_manifest", manifest)
    monkeypatch.setattr(Project, "spark", store)
    own = {"alerts_of_run": store.of_run, "log_alerts": store.log, "open_alerts": store.open}
    for name, function in {**own, "unsent": store.unsent, "log_sent": store.log_sent}.items():
        monkeypatch.setattr(record, name, function)
    return store


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Webhook]:
    hook = Webhook()
    monkeypatch.setenv(webhook.VARIABLE, hook.url)
    monkeypatch.setattr(webhook, "_WAITS", ())
    monkeypatch.setattr(webhook.post, "__kwdefaults__", {"waits": (), "timeout": 5.0})
    yield hook
    hook.close()


def dbt(number: int, **statuses: str) -> None:
    """What a run of dbt leaves."""
    from pathlib import Path

    results = [
        {
            "unique_id": f"test.p.{name}",
            "status": status,
            "failures": 2,
            "message": "Got 2 results",
            "compiled_code": name,
        }
        for name, status in statuses.items()
    ]
    Path("target").mkdir(exist_ok=True)
    metadata = {"invocation_id": f"run {number}", "generated_at": f"2026-01-01T{number:02}:00:00Z"}
    Path("target/run_results.json").write_text(json.dumps({"metadata": metadata, "results": results}))


def alerts(*words: str) -> Result:
    return CliRunner().invoke(command_line(), ["alerts", *words])


DRIFTED = [
    {"feature": "carrier", "segment": "all", "effect": "js", "size": 0.3, "p": 1e-9},
    {"feature": "distance", "segment": "all", "effect": "js", "size": 0.2, "p": 1e-4},
]


def test_an_error_is_told_once_by_the_exit_code_and_its_end_is_told(store: Store) -> None:
    store.answers["no_drift"] = DRIFTED
    dbt(1, no_drift="fail", other="pass")
    first = alerts()
    assert first.exit_code == 1
    told = " ".join(first.stdout.split())
    assert "open error new no_drift feature=carrier segment=all 0.3 1e-09 delays (Ada, ada@example.com)" in told
    assert told.endswith("2 open; no webhook")
    again = alerts()
    assert (again.exit_code, again.stdout) == (1, first.stdout), "the same run says the same"
    assert len(store.alerts) == 2, "and is kept once"

    dbt(2, no_drift="fail")
    quiet = alerts()
    assert quiet.exit_code == 0
    assert quiet.stdout.endswith("2 open, 2 of them told before; no webhook\n")
    store.answers["no_drift"] = DRIFTED[:1]
    dbt(3, no_drift="warn")
    assert alerts().stdout.endswith("1 open, 1 of them told before; 1 resolved; no webhook\n")
    dbt(4, no_drift="pass")
    over = alerts("--json")
    [row] = json.loads(over.stdout)
    assert (over.exit_code, row["state"], row["reason"], row["subject"]) == (
        0, "resolved", "resolved", "feature=carrier segment=all",
    )  # fmt: skip
    dbt(5, no_drift="pass")
    assert alerts().stdout == "0 open; no webhook\n"


def test_warnings_end_with_0_and_tests_without_effects_tell_their_rows(store: Store) -> None:
    store.answers["other"] = [{"id": 7}, {"id": 8}]
    dbt(1, other="warn")
    done = alerts("--json")
    [row] = json.loads(done.stdout)
    assert (done.exit_code, row["severity"], row["effect"], row["evidence"]) == (0, "warn", 2, {"id": 7})
    assert row["model"] == "drift"


@pytest.mark.parametrize("status", ["fail", "error"])
def test_a_test_whose_rows_cannot_be_had_is_told_and_ends_nothing(store: Store, status: str) -> None:
    store.answers["no_drift"] = DRIFTED[:1]
    dbt(1, no_drift="fail")
    alerts()
    store.answers.clear()
    dbt(2, no_drift=status)
    [row] = json.loads(alerts("--json").stdout)
    assert (row["subject"], row["state"], row["message"]) == ("", "open", "Got 2 results")
    assert len(store.open(None)) == 2


def test_what_the_webhook_does_not_take_is_sent_by_the_next_run(store: Store, hook: Webhook) -> None:
    store.answers["no_drift"] = DRIFTED[:1]
    dbt(1, no_drift="fail")
    hook.codes = [400]
    done = alerts()
    assert done.exit_code == 1
    assert "the webhook did not take the alerts: it answered 400" in done.stderr
    assert SECRET not in done.output
    assert len(store.alerts) == 1, "they are kept"
    dbt(2, no_drift="fail")
    done = alerts()
    assert (done.exit_code, done.stdout.endswith("1 open, 1 of them told before; 1 sent\n")) == (0, True)
    assert alerts().stdout.endswith("; 0 sent\n")
    assert [[each["reason"] for each in content["alerts"]] for _, _, content in hook.got] == [["new"], ["new"]]
    assert SECRET not in done.output


def test_without_a_run_of_dbt_there_is_nothing_to_tell(store: Store, tmp_path: Path) -> None:
    done = alerts()
    assert done.exit_code == 1
    assert "dbt has run no tests yet" in done.stderr
    (tmp_path / "target").mkdir()
    (tmp_path / "target/run_results.json").write_text("{")
    assert "it is no JSON" in alerts().stderr


def test_rules_that_are_wrong_are_told_before_anything_is_kept(store: Store) -> None:
    Project.dbt_manifest["nodes"]["test.p.other"]["config"] = {"meta": {"penstock": {"alert": {"repeat": "soon"}}}}  # type: ignore[index]
    dbt(1, no_drift="fail")
    done = alerts()
    assert done.exit_code == 1
    assert "'soon' is no length of time\n  where: test other, alert, repeat" in done.stderr
    assert store.alerts == []
