"""Builds the project in this folder, and again after each of several changes; prints how each build went, as JSON.

All of it shares one Spark, for each start of one takes as long as the builds.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
from datetime import datetime
from typing import Any

from dbt.cli.main import dbtRunner

from penstock.errors import PenstockError
from penstock.project import Project
from penstock.semantic.as_of import read_as_of
from penstock.semantic.durations import Duration

SETS = ("refreshed", "predicted")
LATE = "SELECT {} + id, id % 7, TIMESTAMP'2026-{}' + make_interval(0,0,0,0,id), TIMESTAMP'2026-02-01 12:00', 3"
VISITS = "SELECT 900 + id, id, TIMESTAMP'2026-02-01' + make_interval(0,0,0,id), 1"
CHANGES: dict[str, tuple[str, ...]] = {
    "nothing": (),
    "late orders": (f"INSERT INTO orders {LATE.format(5000, '01-20')} FROM range(5)",),
    "new visits": (f"INSERT INTO visits {VISITS} FROM range(8)",),
    "corrections": (
        "UPDATE orders SET pieces = 99 WHERE order_id = 1000",
        "UPDATE orders SET shop_id = 5 WHERE order_id = 1001",
        "UPDATE visits SET bought = 7, asked_at = asked_at + INTERVAL 1 HOUR WHERE visit_id = 77",
    ),
    "an order deleted": ("DELETE FROM orders WHERE order_id = 1200",),
    "a visit deleted": ("DELETE FROM visits WHERE visit_id = 78",),
    "untold": (
        "ALTER TABLE orders SET TBLPROPERTIES (delta.enableChangeDataFeed = false)",
        "UPDATE orders SET pieces = 98 WHERE order_id = 900",
    ),
}  # fmt: skip


LABELLED = ("new visits", "an order deleted")  # after these the labels are looked at too


def built(*arguments: str) -> dict[str, Any]:
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        found = dbtRunner().invoke([*arguments, "--no-use-colors"])
    assert found.success, said.getvalue()
    return {"said": " ".join(said.getvalue().split())}


def said(*arguments: str) -> str:
    """What a command prints; it shares the Spark that runs."""
    from click.testing import CliRunner

    from penstock.cli import command_line

    found = CliRunner().invoke(command_line(), list(arguments), catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return str(found.stdout)


def state(project: Project, name: str) -> dict[str, Any]:
    """What became of a set: its last commits, and whether it is what a whole build would be."""
    history = project.spark.sql(f"DESCRIBE HISTORY {name}").limit(2).collect()
    merged = next((row for row in history if row["operation"] == "MERGE"), None)
    try:
        made = project.training_sets.rebuild(name)
        same: Any = made.checksum == made.rebuilt and made.rows
    except PenstockError as error:
        same = str(error)
    return {
        "operations": [row["operation"] for row in history],
        "merged": None if merged is None else int(merged["operationMetrics"]["numSourceRows"]),
        "same": same,
    }


class Killed(Exception):
    """What ends a run in the midst of it."""


def killed_at(number: int) -> Any:
    """A `Doing` in which the slice of this number is not written."""

    @contextlib.contextmanager
    def doing(step: str, how_far: Any = str) -> Any:
        if step.startswith(f"writing slice {number} "):
            raise Killed
        yield

    return doing


def backfills() -> dict[str, Any]:
    """A backfill that is killed, and goes on when inputs have changed; then the same once more, and another range."""
    between = (datetime(2026, 1, 1), datetime(2026, 2, 1))
    week = Duration(7, "day")
    with contextlib.suppress(Killed):
        Project(doing=killed_at(3)).training_sets.backfill("backfilled", *between, week)
    project = Project()
    left = project.spark.table("backfilled").count()
    project.spark.sql(f"INSERT INTO orders {LATE.format(8000, '01-02').replace('02-01', '01-03')} FROM range(9)")
    project.spark.sql(f"INSERT INTO visits {VISITS.replace('900', '3000').replace('02-01', '01-20')} FROM range(3)")
    sets = project.training_sets
    runs = [sets.backfill("backfilled", *between, week) for _ in range(2)]
    whole = read_as_of(sets.compile("backfilled").sql, dict(runs[0].inputs), "spark")
    wanted = f"SELECT * FROM ({whole}) WHERE asked_at < TIMESTAMP'2026-02-01'"
    table = project.spark.table("backfilled")
    apart = table.exceptAll(project.spark.sql(wanted)).count() + project.spark.sql(wanted).exceptAll(table).count()
    other = sets.backfill("backfilled", datetime(2026, 1, 10), datetime(2026, 1, 24), week)
    return {
        "left": left,
        "runs": [[run.written, run.found] for run in (*runs, other)],
        "recorded": [run.recorded for run in (*runs, other)],
        "apart": apart,
        "rows": table.count(),
        "new visits": project.spark.table("backfilled").where("visit_id >= 3000").count(),
        "commits": project.spark.sql("DESCRIBE HISTORY backfilled").where("operation = 'WRITE'").count(),
    }


def backfill_of_all_rows() -> dict[str, Any]:
    """A backfill in place of the first build, once more, and then a build after a change."""
    project = Project()
    project.spark.sql("DROP TABLE backfilled")
    project.spark.sql("ALTER TABLE orders SET TBLPROPERTIES (delta.enableChangeDataFeed = true)")
    all_rows = (datetime(2026, 1, 1), datetime(2026, 3, 1), Duration(30, "day"))
    runs = [project.training_sets.backfill("backfilled", *all_rows) for _ in range(2)]
    found = {
        "recorded": [run.recorded for run in runs],
        "commits": project.spark.sql("DESCRIBE HISTORY backfilled").count(),
        "whole": state(project, "backfilled"),
    }
    project.spark.sql("UPDATE orders SET pieces = 97 WHERE order_id = 1004")
    return {**found, **built("build", "--select", "backfilled"), "after": state(Project(), "backfilled")}


def main() -> None:
    outcomes = {"first": built("build", "--exclude", "backfilled")}
    project = Project()
    outcomes["first"] |= {name: state(project, name) for name in SETS}
    for title, statements in CHANGES.items():
        for statement in statements:
            project.spark.sql(statement)
        sets = SETS if title in LABELLED else SETS[:1]
        outcomes[title] = built("build", "--select", *sets)
        project = Project()
        outcomes[title] |= {name: state(project, name) for name in sets}
    outcomes["told"] = {
        "freshness": said("training", "explain", "refreshed", "--versions"),
        "labels": json.loads(said("training", "explain", "predicted", "--versions", "--json")),
    }
    outcomes["backfills"] = backfills()
    outcomes["all rows"] = backfill_of_all_rows()
    json.dump(outcomes, sys.stdout)


if __name__ == "__main__":
    main()
