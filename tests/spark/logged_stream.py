"""The stream that docs/record.md prints, in a process that is killed between the table and the checkpoint.

    python logged_stream.py start     makes files, starts the stream, and kills itself and its JVM in the third batch
    python logged_stream.py resume    hands two of the files in again, starts the stream again, and lets it end

The latter prints what the table has as JSON. The working folder has the state.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import penstock
from penstock.monitoring.record import log
from penstock.profile import load_target
from penstock.registry import mlflow_store
from penstock.sessions import start_spark

ROOT = Path(__file__).parents[2]
FILES, ROWS = 10, 20
KILLED_IN = 2  # the batch
ARRIVING = Path("arriving")


def example() -> str:
    """The Python of the page's part on streams, which takes two files a batch here, and ends with what is there."""
    page = (ROOT / "docs" / "record.md").read_text().partition("## In a stream")[2].partition("\n## ")[0]
    [code] = re.findall(r"^```python\n(.*?)^```$", page, re.M | re.S)
    code = code.replace(".schema(columns)", '.option("maxFilesPerTrigger", 2).schema(columns)')
    return code.replace(".start()", ".trigger(availableNow=True).start()")


def counted(spark: Any) -> dict[str, int]:
    """The rows and the different ids of the table."""
    found = spark.sql("SELECT COUNT(*) AS n, COUNT(DISTINCT prediction_id) AS ids FROM ml.predictions").first()
    return {"rows": found["n"], "ids": found["ids"], "versions": spark.sql("DESCRIBE HISTORY ml.predictions").count()}


def start(spark: Any) -> None:
    store = mlflow_store.client()
    store.create_registered_model("arrival_delay")
    for _ in range(3):
        store.create_model_version("arrival_delay", source="file:///nowhere")
    ARRIVING.mkdir()
    for file in range(FILES):
        rows = [
            {"at": f"2026-05-01T{file:02}:00:00Z", "entity": {"flight": f"{file}-{row}"}, "prediction": row / ROWS}
            for row in range(ROWS)
        ]
        (ARRIVING / f"{file}.json").write_text("\n".join(map(json.dumps, rows)))
    write = log.log_predictions

    def write_and_die(session: Any, batch: Any, **given: Any) -> int:
        added = write(session, batch, **given)
        if counted(spark)["rows"] == 2 * ROWS * (KILLED_IN + 1):  # in the table, and not yet checked off
            Path("at_kill.json").write_text(json.dumps(counted(spark)))
            os.kill(int(spark._jvm.java.lang.ProcessHandle.current().pid()), signal.SIGKILL)
            os.kill(os.getpid(), signal.SIGKILL)
        return added

    log.log_predictions = write_and_die  # type: ignore[assignment]
    run(spark)
    raise AssertionError("it was not killed")


def resume(spark: Any) -> None:
    for file in (0, 9):
        shutil.copy(ARRIVING / f"{file}.json", ARRIVING / f"again-{file}.json")
    run(spark)
    print(json.dumps(counted(spark)))


def run(spark: Any) -> None:
    names: dict[str, Any] = {"spark": spark, "penstock": penstock}
    exec(example(), names)
    names["query"].awaitTermination()


if __name__ == "__main__":
    session = start_spark(load_target(Path.cwd()).settings, [])
    {"start": start, "resume": resume}[sys.argv[1]](session)
