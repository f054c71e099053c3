"""One shape of requests, answered by both sides in turn: what each took, and that both mean the same rows."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

import duckdb

from benchmarks.peers import Refused, Worker
from benchmarks.rows import Table, checksum, difference, fetched
from benchmarks.timing import alternately, middle, percentile

Request = dict[str, Any]


@dataclass
class Timed:
    """The CPU time of each request on both sides, in milliseconds, and the checksum of the rows.

    Args:
        ours: Penstock's times.
        theirs: The peer's times.
        sizes: The length of the SQL, ours and theirs, the median of each.
        checksum: Of the results, which are equal on both sides.
    """

    ours: list[float]
    theirs: list[float]
    sizes: tuple[float, float]
    checksum: str

    @property
    def ratio(self) -> float:
        """How many times faster the median of ours is."""
        return middle(self.theirs) / middle(self.ours)

    def line(self, name: str) -> str:
        """The row of the printed table."""
        mine, other = (f"{middle(t):8.2f} {percentile(t, 0.95):8.2f}" for t in (self.ours, self.theirs))
        sizes = f"{self.sizes[0]:7.0f} {self.sizes[1]:7.0f}"
        return f"{name:28} {len(self.ours):4} {mine}   {other} {self.ratio:7.1f}× {sizes}  {self.checksum}"


HEADING = (
    f"{'CPU ms a request':28} {'n':>4} {'our p50':>8} {'p95':>8}   {'peer p50':>8} {'p95':>8} {'ratio':>8} "
    f"{'SQL':>7} {'peer':>7}  rows"
)


def distinct(draw: Callable[[random.Random], Request | None], count: int, seed: int) -> list[Request]:
    """As many different requests as can be drawn, up to `count`, in an order of chance."""
    rnd = random.Random(seed)
    found: dict[str, Request] = {}
    for _ in range(count * 20):
        if len(found) == count:
            break
        request = draw(rnd)
        if request is not None:
            found[repr((sorted(request["metrics"]), sorted(request["group_by"])))] = request
    shuffled = list(found.values())
    rnd.shuffle(shuffled)
    return shuffled


def duel(ours: Worker, theirs: Worker, requests: list[Request], warm: int, con: duckdb.DuckDBPyConnection) -> Timed:
    """Both sides compile the same requests, the first `warm` of them untimed; all answers are run and compared.

    Raises:
        RuntimeError: The rows of a request differ.
    """
    times: tuple[list[float], list[float]] = ([], [])
    sizes: tuple[list[int], list[int]] = ([], [])
    tables: list[Table] = []
    for turn, request in enumerate(requests):
        sides = (ours, theirs)
        answers = alternately([partial(side.ask, "compile", request=request) for side in sides], turn)
        for side, answer in enumerate(answers):
            sizes[side].append(len(answer["sql"]))
            if turn >= warm:
                times[side].append(answer["cpu"] * 1000)
        tables.append(_equal(con, request, answers[0]["sql"], answers[1]["sql"]))
    return Timed(*times, (middle(sizes[0]), middle(sizes[1])), checksum(tables))


def answered(side: Worker, requests: list[Request], most: int) -> list[Request]:
    """The first requests that a side has an answer for."""
    return list(islice((r for r in requests if _answers(side, r)), most))


def _answers(side: Worker, request: Request) -> bool:
    try:
        side.ask("compile", request=request)
    except Refused:
        return False
    return True


def _equal(con: duckdb.DuckDBPyConnection, request: Request, mine: str, other: str) -> Table:
    ours = fetched(con, mine)
    found = difference(ours, fetched(con, other))
    if found is not None:
        raise RuntimeError(f"the rows of {request} differ: {found}")
    return ours
