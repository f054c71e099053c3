"""One loop a model at a time, on one machine: a lock that ends with its process, however that ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from penstock.errors import PenstockError
from penstock.home import home


class LoopRuns(PenstockError):
    """Another loop of the model is at work."""


@contextmanager
def alone(model: str) -> Iterator[None]:
    """Within, no other process of this machine and home folder has entered it for the model.

    Raises:
        LoopRuns: when another one is in it.
    """
    file = home() / "loops" / f"{model}.lock"
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise LoopRuns(
                f"a loop of model '{model}' runs already, as process {lock.read() or 'unknown'}",
                where=str(file),
                fix="wait for it: it does what this one would",
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
        lock.truncate(0)
