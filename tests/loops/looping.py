"""Loops of the project in this folder, one after the other; prints what each came to, as JSON.

    python looping.py start     begins the first loop, and kills itself and its JVM in the midst of its search
    python looping.py go on     ends that loop, and has others

All of them share one Spark, for each start of one takes as long as several loops. What ends a process in the midst of a
step is an exception here, which nothing of ours catches; test_loop.py ends a process itself, too.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from penstock.monitoring.loop import runs
from penstock.monitoring.loop.alone import LoopRuns, alone
from penstock.profile import load_target
from penstock.project import Project
from penstock.registry import mlflow_store
from penstock.registry.promote import CHAMPION, roll_back
from penstock.sessions import start_spark

YAML = Path("models/buying.yml")


class Killed(BaseException):
    """What ends a loop in the midst of it."""


def rows(first: int, count: int, *, known: bool, z: float = 0.0) -> pd.DataFrame:
    """A visit an hour; whether it ends with a purchase comes of a number that `x` tells, or does not."""
    draw = np.random.default_rng(first)
    x = draw.normal(0, 1, count)
    bought = (draw.uniform(0, 1, count) < 1 / (1 + np.exp(-2 * x))).astype("int32")
    ids = np.arange(first, first + count)
    return pd.DataFrame(
        {
            "visit_id": ids,
            "at": pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(ids, unit="h"),
            "x": x if known else draw.normal(0, 1, count),
            "z": draw.normal(z, 1, count),
            "kind": draw.choice(["a", "b"], count),
            "bought": bought,
        }
    )


def dbt(*arguments: str) -> None:
    from dbt.cli.main import dbtRunner

    done = dbtRunner().invoke(["--quiet", *arguments])
    assert done.success, done.exception


def add(spark: Any, frame: pd.DataFrame) -> None:
    """Visits in the source, and what the project's own job makes of them."""
    spark.createDataFrame(frame).write.format("delta").mode("append").saveAsTable("penstock.visits")
    dbt("run", "--select", "visits_seen")


def state(spark: Any) -> dict[str, Any]:
    """All that a loop leaves, counted."""
    store = mlflow_store.client()
    experiment = store.get_experiment_by_name("buying")
    logged = store.search_runs([experiment.experiment_id], max_results=1000) if experiment else []
    aliases = spark.read.option("readChangeFeed", "true").option("startingVersion", 0).table("ml.model_aliases")
    last = runs.newest_run(spark, "buying")
    return {
        "versions": len(store.search_model_versions("name = 'buying'")),
        "runs": sum("penstock.trial" not in each.data.tags for each in logged),
        "trials": sum("penstock.trial" in each.data.tags for each in logged),
        "unfinished": sum(each.info.status != "FINISHED" for each in logged),
        "recorded": [row["version"] for row in spark.table("penstock.buying").orderBy("version").collect()],
        "moves": aliases.where("_change_type IN ('insert', 'update_postimage')").count(),
        "gates": spark.table("ml.gates").count() if spark.catalog.tableExists("ml.gates") else 0,
        "loops": spark.table("ml.loops").count(),
        "commits": spark.sql("DESCRIBE HISTORY ml.loops").count(),
        "state": last.state if last else None,
        "live": last.live if last else None,
        "steps": {each.step: each.told for each in last.steps} if last else {},
        "ended": last is not None and last.ended_at is not None,
        "mirrored": int(store.get_model_version_by_alias("buying", CHAMPION).version),
    }


def loop(**given: Any) -> dict[str, Any]:
    run = Project().loops.run("buying", **given)
    return {"state": run.state, "due": [each.kind for each in run.triggers if each.due], "id": run.loop_id}


def killing(places: list[str]) -> Any:
    """A `Doing` that ends the process at the first place that is not among these, which it is then."""

    def reach(place: str) -> None:
        if place not in places:
            places.append(place)
            raise Killed(place)

    @contextlib.contextmanager
    def doing(step: str, how_far: Any = str) -> Iterator[None]:
        reach(f"before {step}")
        yield
        reach(f"after {step}")

    return doing


def killed_again_and_again(**given: Any) -> list[str]:
    """A loop that is ended at each place where it can be, and run again each time; where that was."""
    places: list[str] = []
    while len(places) < 40:
        with contextlib.suppress(Killed):
            Project(doing=killing(places)).loops.run("buying", **given)
            return places
    raise AssertionError(f"it does not end: {places}")


def two_at_once(spark: Any) -> list[str]:
    """What the second of two is told, on one machine, and of two that share nothing but the tables."""
    told = []
    with alone("buying"):
        try:
            loop(now=True)
        except LoopRuns as error:
            told.append(error.what)
    last = runs.newest_run(spark, "buying")
    assert last is not None
    for attempt in (lambda: runs.begin(spark, last), lambda: runs.save(spark, last, held_by="nobody")):
        try:
            attempt()
        except LoopRuns as error:
            told.append(error.what)
    return told


def declare(old: str, new: str) -> None:
    text = YAML.read_text()
    assert old in text
    YAML.write_text(text.replace(old, new))
    dbt("parse")


def page(spark: Any) -> dict[str, Any]:
    """What docs/loop.md has in Python and in SQL."""
    text = (Path(__file__).parents[2] / "docs" / "loop.md").read_text()
    [python] = re.findall(r"```python\n(.*?)```", text, re.S)
    names: dict[str, Any] = {}
    exec(python, names)
    [sql] = re.findall(r"```\n(SELECT.*?)```", text, re.S)
    rows = spark.sql(sql.replace("arrival_delay", "buying")).collect()
    return {"came": names["run"].state, "rows": [[row["state"], row["live"], row["started_by"]] for row in rows]}


def killing_itself(spark: Any) -> None:
    """A loop of a process that is ended, with its JVM, when a search has made two of its trials."""
    from penstock.trainers.search import Trials

    keep = Trials.keep

    def keep_and_die(self: Trials, number: int, params: Any, value: float) -> None:
        keep(self, number, params, value)
        if number == 1:
            os.kill(int(spark._jvm.java.lang.ProcessHandle.current().pid()), signal.SIGKILL)
            os.kill(os.getpid(), signal.SIGKILL)

    Trials.keep = keep_and_die  # type: ignore[method-assign]
    loop()


def main() -> None:
    spark = start_spark(load_target(Path()).settings, [])
    if sys.argv[1] == "start":
        spark.sql("CREATE SCHEMA IF NOT EXISTS penstock")
        spark.createDataFrame(rows(0, 800, known=False)).write.format("delta").saveAsTable("penstock.visits")
        dbt("parse")
        killing_itself(spark)
    outcomes: dict[str, Any] = {}
    began = time.monotonic()

    def done(title: str, **told: Any) -> None:
        outcomes[title] = {**told, **state(spark)}
        print(f"{time.monotonic() - began:.0f} s: {title}", file=sys.stderr)

    done("first", **loop())
    done("at rest", **loop())
    add(spark, rows(800, 1600, known=True))
    done("killed", places=killed_again_and_again(), **loop())
    done("two at once", told=two_at_once(spark))
    declare("min_rows: 50", "min_rows: 50\n            better_by: 0.1")
    add(spark, rows(2400, 100, known=True, z=20.0))
    done("drift", **loop())
    done("drift, answered", **loop())
    done("now, the same rows", **loop(now=True))
    declare("better_by: 0.1", "better_by: -1\n            approval: [anna]")
    declare("every: 7 days", "every: 1 second")
    done("waits", **loop())
    declare("every: 1 second", "every: 7 days")
    done("waits on", **loop())
    done("approved by somebody else", **loop(approved_by="otto"))
    done("left", **loop(now=True))
    done("approved", **loop(approved_by="anna"))
    roll_back(spark, "buying")
    done("rolled back", **page(spark))
    json.dump(outcomes, sys.stdout)


if __name__ == "__main__":
    main()
