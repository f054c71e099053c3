"""One home, built once, then broken in many ways: each fixture is the state after one of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from places import Place, make_place

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Outcome:
    """How a command ended, and all that it said."""

    code: int
    said: str


def outcome(done: subprocess.CompletedProcess[str]) -> Outcome:
    return Outcome(done.returncode, done.stdout + done.stderr)


def until(happened: Callable[[], bool], seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.1)


def jvm_of(pid: int) -> int:
    """The JVM among the process's children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    [found] = [int(child) for child in children if "java" in Path(f"/proc/{child}/cmdline").read_text()]
    return found


class Commands:
    """`penstock` commands that share one Spark (see commands.py)."""

    def __init__(self, place: Place, mark: Path) -> None:
        self.mark = mark
        environment = {**place.environment, "SLOWLY_FROM_200": str(mark)}
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "commands.py")], cwd=place.folder, env=environment,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def run(self, *arguments: str, meanwhile: Callable[[], None] | None = None) -> Outcome:
        """Run a command; `meanwhile` happens when the function `slowly` has begun in it."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.mark.unlink(missing_ok=True)
        self.process.stdin.write(json.dumps(arguments) + "\n")
        self.process.stdin.flush()
        if meanwhile is not None:
            until(self.mark.exists)
            meanwhile()
        answer = json.loads(self.process.stdout.readline())
        return Outcome(answer["code"], answer["out"] + answer["err"])


@dataclass(frozen=True)
class Interrupted:
    """A build that Ctrl-C ended while it wrote a table, and another that was tried meanwhile."""

    first: Outcome
    second: Outcome
    jvm: int
    seconds: float
    parts: int  # files of the table that lay there already


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
    said, _ = process.communicate(timeout=60)
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
