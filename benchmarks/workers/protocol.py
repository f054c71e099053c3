"""The loop of a worker: one JSON request a line in, one JSON answer a line out, CPU time measured around the work.

A worker runs in the environment of the system that it stands for, so this file needs the standard library only.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

Work = Callable[[Mapping[str, Any]], Mapping[str, Any]]


def serve(works: Mapping[str, Work], clock: Callable[[], float] = time.process_time) -> None:
    """Answer requests until the input ends.

    Args:
        works: What can be asked for, by the request's `do`. Its answer comes back with `cpu` and `wall`, the seconds
            that it took; a refusal comes back as `error`.
        clock: Tells the CPU time so far.
    """
    answers = sys.stdout
    sys.stdout = sys.stderr  # whatever a library prints is no answer
    for line in sys.stdin:
        asked = json.loads(line)
        wall, cpu = time.perf_counter(), clock()
        try:
            answer = dict(works[asked["do"]](asked))
        except Exception as refused:
            answer = {"error": f"{type(refused).__name__}: {refused}"}
        answer |= {"cpu": clock() - cpu, "wall": time.perf_counter() - wall}
        if asked["do"] == "load":
            gc.collect()
            gc.freeze()  # as a server does: what lives as long as the process is not looked through again and again
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
