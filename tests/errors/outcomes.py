"""How commands ended: what the fixtures hand to the tests."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from places import Place


@dataclass(frozen=True)
class Outcome:
    """How a command ended, and all that it said."""

    code: int
    said: str


def outcome(done: subprocess.CompletedProcess[str]) -> Outcome:
    return Outcome(done.returncode, done.stdout + done.stderr)


def until(happened: Callable[[], bool], seconds: float = 300) -> None:
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
    """Commands of `penstock` and dbt that share one Spark (see commands.py)."""

    def __init__(self, place: Place, mark: Path) -> None:
        self.place = place
        self.mark = mark
        environment = {**place.environment, "SLOWLY_FROM_200": str(mark)}
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("commands.py"))], cwd=place.folder, env=environment,
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
            self.mark.unlink()
        answer = json.loads(self.process.stdout.readline())
        return Outcome(answer["code"], answer["out"] + answer["err"])

    def end(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(300)


@dataclass(frozen=True)
class Interrupted:
    """A build that Ctrl-C ended while it wrote a table, and another that was tried meanwhile."""

    first: Outcome
    second: Outcome
    jvm: int
    parts: int  # files of the table that lay there already


@dataclass(frozen=True)
class DiskFull:
    """A build on a full disk, what it left of its table's log, and the build after there was room again."""

    first: Outcome
    commits: list[str]
    second: Outcome
