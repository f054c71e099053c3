"""One home, built once, then broken in many ways: each fixture is the state after one of them."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from outcomes import Commands, Interrupted, Outcome, jvm_of, outcome, until

from places import Place, make_place

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """The project with its tables and its model, but for those that other fixtures make."""
    place = make_place(tmp_path_factory.mktemp("errors"), HERE / "project")
    # A JVM that lives for some seconds is faster without its second compiler.
    place = place.with_variables({"JAVA_TOOL_OPTIONS": "-XX:TieredStopAtLevel=1"})
    done = place.dbt("build", "--exclude", "wrong", "written", "large")
    assert done.returncode == 0, done.stdout
    return place


@pytest.fixture(scope="session")
def interrupted(built: Place, tmp_path_factory: pytest.TempPathFactory) -> Interrupted:
    mark = tmp_path_factory.mktemp("mark") / "slowly"
    slow = built.with_variables({"SLOWLY_FROM_200": str(mark)})
    process = subprocess.Popen(
        slow.dbt_command("build", "--select", "written", "--no-use-colors"), cwd=slow.folder, env=slow.environment,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    table = built.folder / "home" / "warehouse" / "penstock.db" / "written"
    until(lambda: mark.exists() and any(table.glob("*.parquet")))
    parts = len(list(table.glob("*.parquet")))
    second = outcome(built.dbt("build", "--select", "shops"))
    jvm = jvm_of(process.pid)
    began = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    said, _ = process.communicate(timeout=100)
    return Interrupted(Outcome(process.returncode, said), second, jvm, time.monotonic() - began, parts)


@pytest.fixture(scope="session")
def next_build(built: Place, interrupted: Interrupted) -> Outcome:
    """The build after the interrupted one, together with all models that are wrong."""
    return outcome(built.dbt("build", "--no-use-colors", "--select", "written", "wrong"))


@pytest.fixture(scope="session")
def commands(built: Place, next_build: Outcome, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    running = Commands(built, tmp_path_factory.mktemp("mark") / "slowly")
    yield running
    assert running.process.stdin is not None
    running.process.stdin.close()
    running.process.wait(30)
