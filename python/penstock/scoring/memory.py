"""The versions that a worker process holds in memory: each loaded once, together within a bound in bytes."""

from __future__ import annotations

import gc
import os
import threading
from collections import OrderedDict
from collections.abc import Callable

from penstock.errors import EnvironmentProblem
from penstock.scoring.contract import Loaded
from penstock.scoring.live import Live

BOUND = "PENSTOCK_MODEL_MEMORY"
_DEFAULT = 1 << 30
_UNITS = {"k": 10, "m": 20, "g": 30}


def bound() -> int:
    """How many bytes of models one worker process may hold: PENSTOCK_MODEL_MEMORY, a gibibyte unless it is set.

    Raises:
        EnvironmentProblem: when the variable is no number of bytes.
    """
    given = os.environ.get(BOUND, "").strip().lower()
    if not given:
        return _DEFAULT
    number, unit = (given[:-1], given[-1]) if given[-1] in _UNITS else (given, "")
    if not number.isdigit() or not int(number):
        raise EnvironmentProblem(f"{BOUND} is '{given}'", where="environment", fix="bytes, or as 512m or 2g")
    return int(number) << _UNITS.get(unit, 0)


class Models:
    """Loaded versions, the one that was used longest ago leaves first. Several threads may ask."""

    def __init__(self, load: Callable[[Live], Loaded], most: Callable[[], int] = bound) -> None:
        self._load = load
        self._most = most
        self._held: OrderedDict[str, Loaded] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, live: Live) -> Loaded:
        """The version, loaded if it is not held; under two aliases it is one.

        Raises:
            EnvironmentProblem: when it alone is larger than the bound.
        """
        key = f"{live.engine}|{live.digest}|{live.source}"
        with self._lock:
            found = self._held.get(key)
            if found is None:
                found = self._load(live)
                self._make_room(found.size, live.source)
                self._held[key] = found
                _leave_out_of_collection()
            self._held.move_to_end(key)
            return found

    def _make_room(self, size: int, source: str) -> None:
        most = self._most()
        if size > most:
            raise EnvironmentProblem(
                f"the model needs {size:,} bytes of memory, and a worker may hold {most:,}",
                where=source,
                fix=f"set {BOUND} higher, where Spark's workers start",
            )
        while self._held and sum(each.size for each in self._held.values()) + size > most:
            self._held.popitem(last=False)


def _leave_out_of_collection() -> None:
    """Keep what lives by now out of garbage collection: PySpark collects after each task, and would look through all
    that the libraries hold.
    """
    gc.unfreeze()
    gc.collect()  # of a version that has left
    gc.freeze()
