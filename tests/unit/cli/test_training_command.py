"""`penstock training compile` and `explain`, over definitions of the small worlds; no Spark is started."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest
from click.testing import CliRunner, Result

from penstock.cli import command_line
from penstock.monitoring.record.from_log import REASONS
from penstock.monitoring.record.labels import Labels
from penstock.project import Project
from penstock.project_from_log import Compared
from penstock.project_training import TrainingSets

sys.path.append(str(Path(__file__).parents[1] / "training_sets"))

from worlds import manifest

ASKED = ("--at", "at", "--entity", "thing=thing", "--feature", "thing.total over 7 days", "--dialect", "duckdb")
REQUEST = {
    "kind": "training_set",
    "spine": "labels",
    "at": "at",
    "entities": {"thing": "thing"},
    "features": ["thing.total over 7 days"],
    "columns": [],
}


def model(name: str, *requests: dict[str, Any]) -> dict[str, Any]:
    asked = {f"penstock.{i}": request for i, request in enumerate(requests)}
    return {"name": name, "resource_type": "model", "relation_name": f"s.{name}", "config": {"meta": asked}}


@pytest.fixture(autouse=True)
def project(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    nodes = [
        model("whole", REQUEST),
        model("twice", REQUEST, {**REQUEST, "at": "other"}),
        model("unclear", {**REQUEST, "spine": None}),
        model("report", {"kind": "metrics", "metrics": ["total"]}),
    ]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Project, "definitions", manifest())
    monkeypatch.setattr(Project, "dbt_manifest", {"nodes": {n["name"]: n for n in nodes}})


def run(*words: str) -> Result:
    return CliRunner().invoke(command_line(), ("training", *words), catch_exceptions=False)


def test_a_request_by_options_is_that_of_a_model() -> None:
    by_options = run("compile", "--spine", "labels", *ASKED)
    assert by_options.exit_code == 0, by_options.output
    assert by_options.output == run("compile", "whole", "--dialect", "duckdb").output


def test_the_compiled_request_runs() -> None:
    connection = duckdb.connect()
    connection.execute("CREATE TABLE labels AS SELECT 1 AS thing, TIMESTAMP '2026-01-02' AS at, 'x' AS note")
    connection.execute(
        "CREATE TABLE events AS SELECT 7 AS id, 1 AS thing, 5 AS n, TIMESTAMP '2026-01-01' AS happened_at,"
        " TIMESTAMP '2026-01-01' AS known_at"
    )
    told = run("compile", "--spine", "SELECT thing, at FROM labels", *ASKED, "--columns", "thing, at")
    rows = connection.execute(told.output).fetchall()
    assert [(row[0], row[2]) for row in rows] == [(1, 5)]


def test_inclusive_is_another_request() -> None:
    assert (
        run("compile", "--spine", "labels", *ASKED, "--inclusive").output
        != run("compile", "whole", "--dialect", "duckdb").output
    )


def test_explain_tells_shapes_and_since_when_rows_are_known() -> None:
    told = run("explain", "whole", "--json")
    [found] = json.loads(told.output)
    assert found["spine"] == "labels"
    assert [f["name"] for f in found["features"]] == ["thing__total__7d"]
    assert found["features"][0]["shapes"] == {
        "rows": "cost what each window holds; not differences: the type of its value is not known; "
        "not lifetimes: the type of its value is not known"
    }
    assert "unknown types" in found["shapes"]["rows"]
    assert found["inputs"] == [{"semantic_model": "events", "relation": "events", "known": "at known_at"}]
    shown = run("explain", "whole").output
    assert "thing__total__7d: thing.total over 7 days\n    rows: cost what each window holds; not diff" in shown
    assert "shapes\n  rows: from the rows of each window" in shown
    assert "events: rows of events, known at known_at" in shown


@pytest.mark.parametrize(
    ("feature", "known"),
    [
        ("thing.early_total to date", "at known_at; at early_at for early_total"),
        ("thing.readings.value", "3 s after the event"),
        ("place.places.country", "always"),
    ],
)
def test_explain_tells_each_kind_of_knowledge(feature: str, known: str) -> None:
    words = ("--spine", "labels", "--at", "at", "--entity", "thing=t", "--entity", "place=p", "--feature", feature)
    [found] = json.loads(run("explain", *words, "--json").output)
    assert [each["known"] for each in found["inputs"]] == [known]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("compile", "hole"), "unknown training set 'hole'"),
        (("compile", "report"), "unknown training set 'report'"),
        (("compile", "twice"), "which relation is its spine is known only when dbt compiles it"),
        (("compile", "unclear"), "which relation is its spine is known only when dbt compiles it"),
        (("compile", "--spine", "labels", "--at", "at", "--entity", "thing"), "'thing' is not entity=column"),
        (("compile", "--spine", "labels", "--at", "at"), "a training set needs at least one feature"),
        (("compile", "whole", "--spine", "labels"), "by NAME or by options, not by both"),
        (("compile",), "name a training set of the project, or give --spine and --at"),
        (("rebuild", "whole"), "nothing would come of it"),
    ],
)
def test_what_cannot_be_asked_is_told(words: tuple[str, ...], message: str) -> None:
    told = run(*words)
    assert told.exit_code in (1, 2)
    assert message in told.output


def test_a_training_set_beside_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    counts = dict.fromkeys(REASONS, 0) | {"equal": 40, "differs": 2}
    cell = {"prediction_id": "p7", "why": "differs", "seen": "7.5", "given": "8.0"}
    rows = (
        {"feature": "speed", "rows": 42, **counts, "example": cell},
        {"feature": "place", "rows": 42, **counts, "differs": 0, "example": None},
    )

    def compare_log(self: Any, *given: Any, **more: Any) -> Compared:
        asked.append((given, more))
        return Compared("whole", "s.whole", 3, "pirn", rows[: len(asked)])

    monkeypatch.setattr(TrainingSets, "compare_log", compare_log)
    words = ("compare-log", "whole", "--feature-set", "pirn")
    done = run(*words, "--label", "late", "--kind", "landed", "--horizon", "1 day", "--without", "load")
    assert asked == [(("whole", "pirn"), {"without": ("load",), "label": "late", "labels": Labels("landed", "1 day")})]
    assert (done.exit_code, "s.whole version 3, beside what was logged as pirn" in done.stdout) == (1, True)
    assert "p7: seen 7.5, the set has 8.0" in " ".join(done.stdout.split())
    rows = rows[1:]
    told = run(*words, "--json")
    assert (told.exit_code, json.loads(told.stdout)[0]["columns"][0]["equal"]) == (0, 40)
    assert "go together" in run(*words, "--label", "late").stderr
