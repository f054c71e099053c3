"""The CPU time of this process and of those that it has started: Spark's work is done in a JVM."""

from __future__ import annotations

import os
import time
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")


def tree_seconds() -> float:
    """Seconds of CPU that this process and its descendants have used so far, ended ones with them; Linux only."""
    processes: dict[int, tuple[int, int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            # the name in parentheses may hold spaces; after it come state, parent, …, and from the 12th on the times
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue  # ended meanwhile
        processes[int(stat.parent.name)] = (int(fields[1]), sum(map(int, fields[11:15])))
    ours = {os.getpid()}
    while more := {p for p, (parent, _) in processes.items() if parent in ours} - ours:
        ours |= more
    # the kernel tells the time of this process finer than in ticks
    return time.process_time() + sum(processes[p][1] for p in ours - {os.getpid()}) / _TICK
