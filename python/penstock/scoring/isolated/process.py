"""The worker's side of an isolated version: its process, started once, asked in Arrow, and ended with what asks it."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import threading
import time
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urlparse
from urllib.request import url2pathname

import penstock
from penstock.errors import PenstockError
from penstock.scoring.contract import Description, Loaded
from penstock.scoring.failures import ModelDoesNotLoad, ModelEnded

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from penstock.scoring.contract import Column

_ENGINE = "isolated:"
_START = 300.0  # seconds: a large network is read from a slow disk
_LOOK = 1.0  # seconds between two looks whether the process is still there
_GRACE = 0.5  # seconds from the end of its pipe to its own

# Penstock's own code from where this process has it (a folder, or the archive that a cluster's workers get), and from
# the same place nothing else: what lies beside it is of the session's environment.
_BOOT = """
import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
spec = PathFinder.find_spec("penstock", [sys.argv[1]])
sys.modules["penstock"] = module_from_spec(spec)
spec.loader.exec_module(sys.modules["penstock"])
from penstock.scoring.isolated.serve import serve
serve(sys.argv[2], *map(int, sys.argv[3:]))
"""


def engine_of_environment(environment: Path) -> str:
    """The name of the engine that scores in an environment, as the alias table has it."""
    return f"{_ENGINE}{environment.as_uri()}"


def environment_of_engine(engine: str) -> Path | None:
    """The folder of the environment in which an engine scores; None for an engine of the session's own."""
    if not engine.startswith(_ENGINE):
        return None
    return Path(url2pathname(urlparse(engine.removeprefix(_ENGINE)).path))


def python_of(environment: Path) -> Path:
    """The interpreter of an environment."""
    return environment / "bin" / "python"


def load_isolated(environment: Path, folder: Path, *, within: float = _START) -> Loaded:
    """Load a version in a process of its own. The process ends when nothing holds what this returns any more.

    Args:
        environment: The folder of the environment.
        folder: The logged model's files.
        within: How many seconds loading may take.

    Returns:
        The version; its predictor and contributions are those that it has in its environment, errors included.

    Raises:
        ModelDoesNotLoad: when the environment is not there, or the process does not come to score.
        PenstockError: what `penstock.scoring.flavours.load` raises in the environment.
    """
    process = _Process(environment, folder, within)
    told = process.told

    def predict(table: pa.Table, params: Mapping[str, Any]) -> Mapping[str, Column]:
        return process.ask(table, params, contributions=False)

    def contributions(table: pa.Table) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        given: Any = process.ask(table, {}, contributions=True)
        return given["base"], given["contributions"]

    return Loaded(
        Description.from_json(told["description"]),
        predict,
        int(told["size"]),
        contributions if told["contributions"] else None,
        ended=process.ended,
    )


class _Process:
    """A running process.

    Attributes:
        told: What it said of its version when it had loaded it.
    """

    def __init__(self, environment: Path, folder: Path, within: float) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        python = python_of(environment)
        if not python.exists():
            raise ModelDoesNotLoad(
                "the model does not load: the environment that it was registered with is not there",
                where=str(environment),
                fix="promote the version once more; machines of a cluster share the folder of environments",
            )
        asked, self._questions = _pipe()
        answers, answered = _pipe()
        self._answers = answers
        command = [str(python), "-I", "-c", _BOOT, str(Path(penstock.__file__).parents[1]), str(folder)]
        given = [str(each.fileno()) for each in (asked, answered)]
        # A session of its own: Ctrl-C is for the one that asks, and ends this one by ending that.
        self._running = subprocess.Popen(
            [*command, *given, str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=2,
            pass_fds=(asked.fileno(), answered.fileno()),
            env={key: value for key, value in os.environ.items() if not key.startswith("PYTHON")},
            start_new_session=True,
        )
        asked.close()
        answered.close()
        self._end = weakref.finalize(self, _end, self._running, self._questions, self._answers)
        try:
            self.told, _ = self._receive(time.monotonic() + within)
        except ModelEnded as error:
            what = error.what.replace("the model's process", "the model does not load: its process", 1)
            raise ModelDoesNotLoad(what, where=error.where, fix=error.fix) from error
        except PenstockError:
            self._end()
            raise

    def ended(self) -> bool:
        """Whether the process is no more."""
        return not self._end.alive or self._running.poll() is not None

    def ask(self, table: pa.Table, params: Mapping[str, Any], *, contributions: bool) -> dict[str, Column]:
        """Have rows scored or explained.

        Raises:
            ModelEnded: when the process ends meanwhile, or says what is no answer.
            PenstockError: what scoring raised in the process.
        """
        from penstock.scoring.isolated import wire

        with self._lock:
            try:
                wire.send(self._questions, {"contributions": contributions}, wire.params_as_table(params))
                wire.send(self._questions, {}, table)
            except (OSError, ValueError) as error:  # nobody reads, or the pipe was closed when the last call failed
                raise self._failed("ended") from error
            _, answer = self._receive(None)
        return wire.as_columns(answer)

    def _receive(self, until: float | None) -> tuple[dict[str, Any], pa.Table]:
        """One message, and its error raised."""
        import pyarrow as pa

        from penstock.scoring.isolated import wire

        look = select.poll()
        look.register(self._answers, select.POLLIN)
        # Something that the model started may hold the pipe open after the process has ended.
        while not look.poll(1000 * (_LOOK if until is None else min(_LOOK, max(until - time.monotonic(), 0.0)))):
            if self._running.poll() is not None:
                raise self._failed("ended")
            if until is not None and time.monotonic() > until:
                raise self._failed("was not ready in time")
        try:
            words, table = wire.receive(self._answers)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise self._failed("says what is no answer") from error
        told = wire.error_from_words(words)
        if told is not None:
            raise told
        return words, table

    def _failed(self, how: str) -> ModelEnded:
        """With the process ended, so that the next query starts another."""
        try:
            code = self._running.wait(timeout=_GRACE)
        except subprocess.TimeoutExpired:
            code = None
        self._end()
        if code is not None:
            how = f"ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit status {code}"
        return ModelEnded(
            f"the model's process {how}",
            where=str(self._folder),
            fix="see what it printed in the log of the worker; a process that is killed may want more memory",
        )


def _pipe() -> tuple[IO[bytes], IO[bytes]]:
    reads, writes = os.pipe()
    return os.fdopen(reads, "rb"), os.fdopen(writes, "wb")


def _end(running: subprocess.Popen[bytes], questions: IO[bytes], answers: IO[bytes]) -> None:
    running.kill()
    running.wait()
    answers.close()
    with contextlib.suppress(OSError):  # of what it had not read
        questions.close()
