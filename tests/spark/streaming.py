"""Streams that score, as docs/scoring.md prints them, in a process that is killed.

    python streaming.py start     makes a model and rows, starts both streams, and kills itself and its JVM in a batch
    python streaming.py resume    starts both again, lets them end, and then moves the champion beneath running streams

It prints what it finds as JSON. The working folder has the state.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from penstock.profile import load_target
from penstock.registry import mlflow_store
from penstock.registry.promote import promote
from penstock.registry.sync import sync
from penstock.sessions import start_spark

ROOT = Path(__file__).parents[2]
MODEL = "arrival_delay"
FUNCTION = {"name": "arrival_delay_checked", "returns": ["prediction", "version", "error"], "on_error": "skip"}
STREAMED, BY_BATCH = "flights_streamed", "flights_by_batch"
FILES, ROWS = 60, 10
KILLED_IN = 1  # the batch


def examples() -> list[str]:
    """The Python of the page's part on streams."""
    page = (ROOT / "docs" / "scoring.md").read_text().partition("## In a stream")[2]
    return re.findall(r"^```python\n(.*?)^```$", page, re.M | re.S)


def register(factor: float) -> int:
    """A version that gives `factor` times the distance."""
    import mlflow
    import pandas as pd
    from mlflow.models import infer_signature
    from sklearn.linear_model import LinearRegression

    frame = pd.DataFrame({"distance": [1.0, 2.0, 3.0]})
    native = LinearRegression().fit(frame, factor * frame.distance)
    store = mlflow_store.client()
    with mlflow.start_run(experiment_id=mlflow_store.open_experiment(MODEL)):
        signature = infer_signature(frame, native.predict(frame))
        logged = mlflow.sklearn.log_model(
            native, name="model", signature=signature, pip_requirements=["mlflow"], serialization_format="cloudpickle"
        )
    if not store.search_registered_models(f"name = '{MODEL}'"):
        store.create_registered_model(MODEL)
    return int(store.create_model_version(MODEL, logged.model_uri).version)


def arrive(spark: Any, first: int, files: int) -> None:
    """New rows, some files in one commit; every seventh has no distance."""
    rows = spark.range(first, first + files * ROWS, 1, files)
    rows = rows.selectExpr("id AS flight_id", "IF(id % 7 = 0, NULL, CAST(id AS DOUBLE)) AS distance")
    rows.write.format("delta").mode("append").saveAsTable("flights_arriving")


def kill(spark: Any) -> None:
    """End the driver at once: its JVM, and this process."""
    os.kill(int(spark._jvm.java.lang.ProcessHandle.current().pid()), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def started(spark: Any, around: Callable[[Any], Any]) -> dict[str, Any]:
    """Both streams; `around` wraps the function that takes a batch."""
    plain, by_batch = examples()
    names: dict[str, Any] = {"spark": spark, "around": around}
    exec(plain, names)
    exec(by_batch.replace("foreachBatch(score)", "foreachBatch(around(score))"), names)
    return {STREAMED: names["streamed"], BY_BATCH: names["by_batch"]}


def counts(spark: Any) -> dict[str, int]:
    """The rows of each stream's table; Delta's log tells it."""
    return {n: spark.table(n).count() if spark.catalog.tableExists(n) else 0 for n in (STREAMED, BY_BATCH)}


def waited(spark: Any, rows: int) -> None:
    """Until both tables have these rows."""
    until = time.monotonic() + 300
    while any(count < rows for count in counts(spark).values()):
        assert time.monotonic() < until, counts(spark)
        time.sleep(0.5)


def found(spark: Any, first: int = 0) -> dict[str, Any]:
    """Of each stream's table: rows, different flights, wrong scores, and which versions scored."""
    right = (
        "IF(distance IS NULL, score.prediction IS NULL AND score.error IS NOT NULL,"
        " abs(score.prediction - score.version * distance) < 1e-6 AND score.error IS NULL)"
    )
    told = {}
    for name in (STREAMED, BY_BATCH):
        query = (
            "SELECT count(*) AS rows, count(DISTINCT flight_id) AS flights, count_if(NOT coalesce("
            f"{right}, false)) AS wrong, array_sort(collect_set(score.version)) AS versions"
            f" FROM {name} JOIN flights_arriving USING (flight_id) WHERE flight_id >= {first}"
        )
        told[name] = spark.sql(query).first().asDict()
    return told


def start(spark: Any) -> None:
    register(1.0)
    register(2.0)
    promote(spark, MODEL, 1, expected=None, reason="first")
    sync(spark, [FUNCTION], model=MODEL, declared_by="model.tests.arrival_delay", where="arrival_delay.yml")
    arrive(spark, 0, FILES // 2)

    def killing(score: Any) -> Any:
        def score_and_die(batch: Any, number: int) -> None:
            score(batch, number)
            if number == KILLED_IN:  # written, and not yet in the stream's own log
                while not counts(spark)[STREAMED]:
                    time.sleep(0.1)
                arrive(spark, FILES // 2 * ROWS, FILES // 2)  # so that neither stream is at its end
                Path("at_kill.json").write_text(json.dumps(counts(spark)))
                kill(spark)

        return score_and_die

    streams = started(spark, killing)
    streams[BY_BATCH].awaitTermination()
    raise AssertionError("it was not killed")


def resume(spark: Any) -> None:
    streams = started(spark, lambda score: score)
    every = FILES * ROWS
    waited(spark, every)
    told = {"resumed": found(spark)}
    for title in ("moved", "restarted"):
        if title == "moved":
            promote(spark, MODEL, 2, expected=1, reason="better")
        else:
            stop(streams)
            streams = started(spark, lambda score: score)
        arrive(spark, every, 1)
        waited(spark, every + ROWS)
        told[title] = found(spark, every)
        every += ROWS
    stop(streams)
    print(json.dumps(told))


def stop(streams: dict[str, Any]) -> None:
    for stream in streams.values():
        stream.stop()


if __name__ == "__main__":
    session = start_spark(load_target(Path.cwd()).settings, [])
    {"start": start, "resume": resume}[sys.argv[1]](session)
