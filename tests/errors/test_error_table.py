"""Every line of the tables in docs/errors.md, produced by the real parts; and what the page says around them."""

from __future__ import annotations

import json
import re

import pytest
from outcomes import Commands, DiskFull, Interrupted, Outcome
from scenarios import SCENARIOS, rows, without_jars

from places import ROOT, Place, gone
from terminals import said_on_a_terminal

ROWS = rows()


def test_each_line_has_a_scenario_and_each_scenario_a_line() -> None:
    page = (ROOT / "docs" / "errors.md").read_text()
    lines = [line for line in page.splitlines() if line.startswith("| ") and not line.startswith("| situation")]
    assert len(lines) == len(ROWS)
    assert set(SCENARIOS) == set(ROWS)


def test_json_has_rows_and_errors(commands: Commands) -> None:
    statement = "SELECT shop_id, sum(amount) AS amount, max(ordered_at) AS last FROM orders GROUP BY shop_id ORDER BY 1"
    answer = commands.run("sql", statement, "--json", "--limit", "1")
    assert json.loads(answer.said) == [{"shop_id": 0, "amount": "390.00", "last": "2026-01-02T14:00:00+00:00"}]
    answer = commands.run("query", "--metrics", "revenue", "--json")
    assert json.loads(answer.said) == [{"revenue": "800.00"}]
    answer = commands.run("sql", "SELECT * FROM exampels", "--json")
    assert answer.code == 1
    error = json.loads(answer.said)["error"]
    assert (error["what"], error["near"]) == ("unknown table 'exampels'", ["examples"])


# The JVM is killed last: it is the one that all commands above run in.
@pytest.mark.parametrize("situation", sorted(ROWS, key=lambda name: name == "Spark's JVM is killed"))
def test_the_message(situation: str, request: pytest.FixtureRequest) -> None:
    row = ROWS[situation]
    found = SCENARIOS[situation](row, request)
    said = " ".join(found.said.split())
    assert found.code not in (0, None)
    assert re.search(pattern(row.message), said), found.said
    assert re.search(pattern(f"fix: {row.fix}") if row.fix else "", said), found.said
    assert "Traceback" not in found.said
    assert "\tat " not in found.said, "frames of Java"


def pattern(text: str) -> str:
    return ".*?".join(re.escape(part.strip()) for part in text.split("…"))


# What the tables say around them


def test_debug_prints_the_traceback_too(parsed: Place) -> None:
    done = parsed.penstock("--debug", *ROWS["an unknown metric"].arguments())
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback (most recent call last):")
    assert "\nError: unknown metric 'revenu'\n" in done.stderr


def test_ctrl_c_ends_the_build_and_its_jvm(interrupted: Interrupted) -> None:
    assert interrupted.parts > 0, "nothing of the table was written yet"
    assert gone(interrupted.jvm)


def test_after_ctrl_c_the_next_build_is_right(next_build: Outcome) -> None:
    assert "OK created sql table model penstock.written" in next_build.said, next_build.said
    assert re.search(r"PASS written_is_whole", next_build.said), next_build.said


def test_a_start_of_spark_is_shown_on_a_terminal(request: pytest.FixtureRequest) -> None:
    place = without_jars(request)
    command = place.command("sql", "SELECT 1")
    code, said = said_on_a_terminal(command, cwd=place.folder, environment=place.environment)
    assert code == 1
    assert "starting Spark … 0 s" in said
    line, _, message = said.rpartition("Error: Spark's jars cannot be fetched")
    assert line.rstrip().endswith("\x1b[2K"), "the line is not erased before the message"
    assert "starting Spark" not in message


def test_a_training_node_tells_what_it_does(first_build: Outcome) -> None:
    told = re.findall(r"buyers: (reading|fitting|scoring|logging) (.*)", first_build.said)
    assert [step for step, _ in told] == ["reading", "fitting", "scoring", "logging"]
    assert told[1][1] == "on 64 rows, 2 features"


def test_after_a_full_disk_nothing_is_visible_and_the_next_build_is_right(disk_full_build: DiskFull) -> None:
    assert disk_full_build.commits == []
    assert disk_full_build.second.code == 0, disk_full_build.second.said
    assert "PASS large_is_whole" in disk_full_build.second.said
