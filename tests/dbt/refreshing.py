"""Builds the project in this folder, and again after each of several changes; prints how each build went, as JSON.

All of it shares one Spark, for each start of one takes as long as the builds.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
from pathlib import Path
from typing import Any

from dbt.cli.main import dbtRunner

from penstock.errors import PenstockError
from penstock.project import Project

SETS = ("refreshed", "predicted")
LATE = "SELECT {} + id, id % 7, TIMESTAMP'2026-{}' + make_interval(0,0,0,0,id), TIMESTAMP'2026-02-11 12:00', 3"
VISITS = "SELECT 900 + id, id, TIMESTAMP'2026-02-01' + make_interval(0,0,0,id), 1"
CHANGES: dict[str, tuple[str, ...]] = {
    "nothing": (),
    "late orders": (f"INSERT INTO orders {LATE.format(5000, '01-20')} FROM range(5)",),
    "late orders, further on": (f"INSERT INTO orders {LATE.format(6000, '02-09')} FROM range(9)",),
    "new visits": (f"INSERT INTO visits {VISITS} FROM range(8)",),
    "orders corrected": (
        "UPDATE orders SET pieces = 99 WHERE order_id = 1000",
        "UPDATE orders SET shop_id = 5 WHERE order_id = 1001",
    ),
    "an order deleted": ("DELETE FROM orders WHERE order_id = 1200",),
    "a visit corrected": ("UPDATE visits SET bought = 7, asked_at = asked_at + INTERVAL 1 HOUR WHERE visit_id = 77",),
    "a visit deleted": ("DELETE FROM visits WHERE visit_id = 78",),
    "untold": (
        "ALTER TABLE orders SET TBLPROPERTIES (delta.enableChangeDataFeed = false)",
        "UPDATE orders SET pieces = 98 WHERE order_id = 900",
    ),
    "told again": ("ALTER TABLE orders SET TBLPROPERTIES (delta.enableChangeDataFeed = true)",),
    "another definition": (),
}  # fmt: skip


def built(*arguments: str) -> dict[str, Any]:
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        found = dbtRunner().invoke([*arguments, "--no-use-colors"])
    assert found.success, said.getvalue()
    return {"said": " ".join(said.getvalue().split())}


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


def main() -> None:
    outcomes = {"first": built("build")}
    project = Project()
    outcomes["first"] |= {name: state(project, name) for name in SETS}
    for title, statements in CHANGES.items():
        for statement in statements:
            project.spark.sql(statement)
        if title == "another definition":
            file = Path("models/orders.yml")
            file.write_text(file.read_text().replace("expr: pieces", "expr: pieces * 2"))
        outcomes[title] = built("build", "--select", *SETS)
        project = Project()
        outcomes[title] |= {name: state(project, name) for name in SETS}
    json.dump(outcomes, sys.stdout)


if __name__ == "__main__":
    main()
