"""What runs in the environment of an isolated version: the version loaded as everywhere, and asked over two pipes."""

from __future__ import annotations

import os
import re
import resource
import threading
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from penstock.errors import PenstockError
from penstock.scoring.failures import ModelDoesNotLoad, ModelFailed

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

    from penstock.scoring.contract import Loaded

_LONGEST = 300  # of what a library says


def serve(source: str, asked: int, answered: int, parent: int) -> None:
    """Load a version, say what it is, and answer until the pipe of questions ends.

    Args:
        source: The folder of the logged model.
        asked: The descriptor from which questions are read.
        answered: The descriptor to which answers are written. Neither is standard input or output, so that what a
            model prints is no answer.
        parent: The process that asks; without it this one ends.
    """
    # What the model starts must not hold the pipes open.
    for descriptor in (asked, answered):
        os.set_inheritable(descriptor, False)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    with os.fdopen(asked, "rb") as questions, os.fdopen(answered, "wb") as answers:
        from penstock.scoring.isolated import wire

        loaded, words = _loaded(source)
        wire.send(answers, words)
        while loaded is not None and questions.peek(1):
            words, table = _answer(loaded, questions, source)
            wire.send(answers, words, table)


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(0)


def _loaded(source: str) -> tuple[Loaded | None, dict[str, Any]]:
    from penstock.scoring.flavours.load import load
    from penstock.scoring.isolated import wire

    try:
        loaded = load(source)
    except PenstockError as error:
        return None, wire.error_as_words(error)
    except Exception as error:  # the environment's libraries are of other versions than ours
        failed = ModelDoesNotLoad(f"the model does not load: {_said(error)}", where=source)
        return None, wire.error_as_words(failed)
    return loaded, {
        "description": loaded.description.as_json(),
        "size": max(loaded.size, _memory()),
        "contributions": loaded.contributions is not None,
    }


def _answer(loaded: Loaded, questions: IO[bytes], source: str) -> tuple[dict[str, Any], pa.Table | None]:
    from penstock.scoring.isolated import wire

    words, settings = wire.receive(questions)
    _, table = wire.receive(questions)

    def contributions() -> pa.Table:
        assert loaded.contributions is not None
        base, matrix = loaded.contributions(table)
        return wire.as_table({"base": base, "contributions": matrix})

    def predict() -> pa.Table:
        return wire.as_table(loaded.predict(table, wire.params_from_table(settings)))

    answer: Callable[[], pa.Table] = contributions if words["contributions"] else predict
    try:
        return {}, answer()
    except PenstockError as error:
        return wire.error_as_words(error), None
    except Exception as error:
        return wire.error_as_words(ModelFailed(f"the model failed: {_said(error)}", where=source)), None


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error)[:_LONGEST]}"


def _memory() -> int:
    """Bytes that this process holds, at most so far."""
    try:
        # Linux counts in `ru_maxrss` what the process held that this one was forked from.
        held = re.search(r"^VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text(), re.M)
    except FileNotFoundError:
        held = None
    if held:
        return int(held[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes, on macOS
