"""Servers in processes of their own, over a small project and a PENSTOCK_HOME of their own."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]

# A JVM that lives for some minutes, over small data, is faster without its second compiler. Without that, its cache of
# code is small, and when it is full, nothing more is compiled.
SHORT_LIVED = {"JAVA_TOOL_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m"}


def outside() -> dict[str, str]:
    """The environment without what MLflow puts into it in this process: a place has an MLflow of its own."""
    return {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}


PROJECT = {
    "dbt_project.yml": """
name: penstock  # for the macros of the package
version: 0.1.0
profile: penstock
function-paths: [udfs]
flags: {send_anonymous_usage_stats: false}
models: {+materialized: table, +file_format: delta}
""",
    "udfs/doubled.py": """
import pandas as pd


def main(x: pd.Series) -> pd.Series:
    return x * 2.0
""",
    "udfs/doubled.yml": """
functions:
  - name: doubled
    description: Twice its argument.
    config: {entry_point: main, runtime_version: "3.11"}
    arguments: [{name: x, data_type: double}]
    returns: {data_type: double}
""",
    "models/numbers.sql": "select id, {{ function('doubled') }}(id) as y from range(9)",
    "models/seen.py": """
def model(dbt, session):
    dbt.config(materialized="table", submission_method="session")
    return dbt.ref("numbers").selectExpr("id", "y * 10 AS z")
""",
}


@dataclass(frozen=True)
class Place:
    """A project's folder and the environment of commands in it."""

    folder: Path
    environment: dict[str, str]

    def with_variables(self, variables: dict[str, str]) -> Place:
        return Place(self.folder, {**self.environment, **variables})

    def moved(self, folder: Path) -> Place:
        """A copy of the project elsewhere, with a home of its own."""
        return Place(folder, {**self.environment, "PENSTOCK_HOME": str(folder / "home")})

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "penstock.cli", *arguments]

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False, timeout=900
        )

    def penstock(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.run(*self.command(*arguments))

    def dbt(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.run(*self.dbt_command(*arguments))

    def dbt_command(self, *arguments: str) -> list[str]:
        return [str(Path(sys.executable).with_name("dbt")), *arguments]


@dataclass(frozen=True)
class Server:
    """A running `penstock serve`."""

    place: Place
    port: int
    process: subprocess.Popen[str]
    ready: str

    def session(self) -> Any:
        """A cursor with a session of its own."""
        return self.connect().cursor()

    def connect(self) -> Any:
        from pyhive import hive

        return hive.connect("127.0.0.1", self.port)


def make_place(folder: Path, project: Path | None = None, *, again: bool = False) -> Place:
    """The small project above, or a copy of the one in `project`, with a profile; or what is there already."""
    home = {"PENSTOCK_HOME": str(folder / "home"), "PENSTOCK_DRIVER_MEMORY": "1g"}
    if again:
        return Place(folder, {**outside(), **home})
    shutil.copytree(ROOT / "macros", folder / "macros")
    for name, text in PROJECT.items() if project is None else ():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    if project is not None:
        shutil.copytree(project, folder, dirs_exist_ok=True)
    shutil.copy(ROOT / "profiles.example.yml", folder / "profiles.yml")
    return Place(folder, {**outside(), **home})


def free_port() -> int:
    """A port that nobody has, nor the one after it."""
    while True:
        with socket.socket() as probe, socket.socket() as following:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
            with contextlib.suppress(OSError):
                following.bind(("127.0.0.1", port + 1))
                return port


def beeline(url: str, statements: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Hive's own client, as Spark ships it."""
    import pyspark

    command = [str(Path(pyspark.__file__).parent / "bin" / "beeline"), "-u", url, *options, "-e", statements]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def start(place: Place, *options: str) -> Server:
    """Start a server and wait for its ready line."""
    port = free_port()
    with (place.folder / "serve.err").open("w") as errors:
        process = subprocess.Popen(
            place.command("serve", "--port", str(port), *options),
            cwd=place.folder, env=place.environment, stdout=subprocess.PIPE, stderr=errors, text=True,
        )  # fmt: skip
    assert process.stdout is not None
    line = process.stdout.readline()  # ends when the process does, too
    assert line.startswith("ready: "), (place.folder / "serve.err").read_text()
    return Server(place, port, process, line)


@contextlib.contextmanager
def serving(place: Place, *options: str, ends_by: signal.Signals = signal.SIGTERM) -> Iterator[Server]:
    """A server that runs within, and ends well."""
    running = start(place, *options)
    try:
        yield running
    finally:
        running.process.send_signal(ends_by)
        code = running.process.wait(300)
    assert code == 0


def gone(pid: int, seconds: float = 20) -> bool:
    """Whether the process ends within these seconds."""
    until = time.monotonic() + seconds
    while is_running(pid):
        if time.monotonic() > until:
            return False
        time.sleep(0.1)
    return True


def is_running(pid: int) -> bool:
    """Whether the process runs; one that has ended and that nobody has waited for (state Z) does not."""
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"
