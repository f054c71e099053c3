"""A system under test as a warm process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

HOME = Path(__file__).parent
ROOT = HOME.parent
ENVIRONMENTS = ROOT / ".venv-peers"


class Refused(Exception):
    """The system has no answer for a request; the text is its own."""


class Worker:
    """A worker process (see workers/): asked by `ask`, ended by leaving its `with`.

    Args:
        name: What it is called in the printed tables.
        script: The file in workers/.
        python: The interpreter of its environment; this one by default.
    """

    def __init__(self, name: str, script: str, python: str = sys.executable) -> None:
        self.name = name
        self._process = subprocess.Popen(
            [python, str(HOME / "workers" / script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "python")])},
        )

    def ask(self, do: str, **what: Any) -> dict[str, Any]:
        """The worker's answer, with `cpu` and `wall`, the seconds that it took inside the worker.

        Raises:
            Refused: The worker answers with an error.
        """
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": do, **what}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name}: the worker ended with status {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise Refused(f"{self.name}: {answer['error']}")
        return answer

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def penstock() -> Worker:
    """Ourselves."""
    return Worker("penstock", "penstock_worker.py")


def metricflow() -> Worker:
    """MetricFlow, in the version that dbt brings."""
    return Worker("metricflow", "metricflow_worker.py")


def feast() -> Worker:
    """Feast in an environment of its own, with the engines."""
    return Worker("feast", "feast_worker.py", str(environment("feast") / "python"))


def environment(name: str) -> Path:
    """The folder of a peer's programs."""
    programs = ENVIRONMENTS / name / "bin"
    if not programs.exists():
        raise SystemExit(f"{programs} is not there: run the benchmark by its make target, which makes it")
    return programs
