"""`make bench-compile`: what it takes to compile a request, MetricFlow beside us.

On a generated star of 60, 600 and 6,000 metrics, and on the manifests of the conformance cases where these lie beside
the checkout. Both sides are warm processes that compile the same distinct requests in turn; every answer of both is run
in DuckDB, and the rows have to be equal.
"""

from __future__ import annotations

import argparse
import json
import math
import random
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import duckdb

from benchmarks import shared, star
from benchmarks.claims import report
from benchmarks.duel import HEADING, Timed, answered, distinct, duel
from benchmarks.peers import ROOT, Worker, metricflow, penstock
from benchmarks.rows import difference, fetched
from benchmarks.timing import alternately, middle

SCRATCH = ROOT / ".penstock" / "bench"
# stars of so many metrics, the conformance manifest, and the smallest star beside the largest
PLACES = ("60", "600", "6000", "shared", "flat")
SHAPES = {"one": star.one, "cumulative": star.cumulative, "ratios": star.ratios, "ten": star.ten}
_WARM = 20
_STARTS = 2

Figures = dict[str, float | None]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=200, help="distinct requests of a shape (200)")
    parser.add_argument("--places", nargs="*", choices=PLACES, default=PLACES, help="the manifests; all by default")
    asked = parser.parse_args()
    print(f"peer: metricflow {version('metricflow')}; the answers are run in duckdb {duckdb.__version__}")
    SCRATCH.mkdir(parents=True, exist_ok=True)
    figures: Figures = {}
    for place in asked.places:
        if place == "flat":
            figures["compile-flat"] = growth(asked.requests)
            continue
        if place == "shared" and not shared.HOME.exists():
            print(f"\nThe conformance manifests are not at {shared.HOME}: that part is left out.")
            continue
        timed = on_shared(asked.requests) if place == "shared" else on_star(int(place), asked.requests, figures)
        for shape, times in timed.items():
            figures[f"compile-{shape}-{place}"] = times.ratio
    report("compile", figures)


def on_star(metrics: int, requests: int, figures: Figures) -> dict[str, Timed]:
    """All shapes on a star of so many metrics; the claims on its start and on many ratios are added to the figures."""
    path = _star(metrics)
    con = duckdb.connect()
    star.fill(con, metrics)
    print(f"\nstar of {metrics} metrics, {path.stat().st_size / 1e6:.2f} MB")
    request = star.one(random.Random(0), metrics)
    starts = []
    for _ in range(_STARTS):
        with penstock() as fresh:
            starts.append(_first(fresh, path, request))
    with penstock() as ours, metricflow() as theirs:
        starts.append(_first(ours, path, request))
        mine, other = middle(starts), _first(theirs, path, request)
        print(f"manifest file to first SQL, CPU s: ours {mine:.3f}, peer {other:.2f}, {other / mine:.0f}×", flush=True)
        if metrics == 6000:
            figures["compile-first-sql-6000"] = mine
        if metrics == 600:
            figures |= _many_ratios(ours, theirs, con)
        print(HEADING)
        timed = {}
        for shape, draw in SHAPES.items():
            drawn = distinct(partial(draw, metrics=metrics), requests + _WARM, seed=metrics)
            timed[shape] = duel(ours, theirs, drawn, _WARM, con)
            print(timed[shape].line(shape), flush=True)
    return timed


def on_shared(requests: int) -> dict[str, Timed]:
    """All shapes on the manifest that most conformance cases are about."""
    con = shared.connection()
    path = shared.MANIFEST
    print(f"\n{path.parent.name} of the conformance cases, {path.stat().st_size / 1e6:.2f} MB")
    with metricflow() as teller:  # a process of its own, so that no side has seen a request before it is timed
        teller.ask("load", manifest=str(path))
        names = shared.Names(teller)
        drawn = {s: distinct(partial(names.draw, s), 5 * requests, seed=1) for s in SHAPES}
        drawn = {s: answered(teller, found, requests + _WARM) for s, found in drawn.items()}
    timed = {}
    with penstock() as ours, metricflow() as theirs:
        for side in (ours, theirs):
            side.ask("load", manifest=str(path))
        print(HEADING)
        for shape, asked in drawn.items():
            timed[shape] = duel(ours, theirs, asked, _WARM, con)
            print(timed[shape].line(shape), flush=True)
    return timed


def growth(requests: int) -> float:
    """What a request costs on the largest star over what it costs on the smallest, the two in turn; the worst shape."""
    sizes = (60, 6000)
    print(f"\n{'CPU ms a request, median':28} {'n':>4} {sizes[0]:>8} {sizes[1]:>8} {'ratio':>8}")
    found = []
    with penstock() as few, penstock() as many:
        for side, metrics in zip((few, many), sizes, strict=True):
            side.ask("load", manifest=str(_star(metrics)))
        for shape, draw in SHAPES.items():
            drawn = (distinct(partial(draw, metrics=m), requests + _WARM, seed=m) for m in sizes)
            times: tuple[list[float], list[float]] = ([], [])
            for turn, pair in enumerate(zip(*drawn, strict=False)):
                asked = [partial(w.ask, "compile", request=r) for w, r in zip((few, many), pair, strict=True)]
                for side_times, answer in zip(times, alternately(asked, turn), strict=True):
                    if turn >= _WARM:
                        side_times.append(answer["cpu"] * 1000)
            small, large = map(middle, times)
            print(f"{shape:28} {len(times[0]):4} {small:8.2f} {large:8.2f} {large / small:7.2f}×", flush=True)
            found.append(large / small)
    return max(found)


def _star(metrics: int) -> Path:
    """The file of a star's manifest."""
    path = SCRATCH / f"star-{metrics}.json"
    path.write_text(json.dumps(star.manifest(metrics)))
    return path


def _first(side: Worker, path: Path, request: dict[str, Any]) -> float:
    """From the manifest's file to the first SQL in a new process; starting Python and its imports are not counted."""
    return float(side.ask("load", manifest=str(path))["cpu"] + side.ask("compile", request=request)["cpu"])


def _many_ratios(ours: Worker, theirs: Worker, con: duckdb.DuckDBPyConnection) -> Figures:
    """Ratios of as many facts as possible in one request: their time, and how the SQL grows."""
    print(f"{'ratios of one fact each':28} {'our ms':>8} {'peer ms':>8} {'ratio':>8} {'our SQL':>8} {'peer SQL':>8}")
    sizes, last = {}, 0.0
    for count in (20, 40, 80):
        request = star.many_ratios(count)
        mine = [ours.ask("compile", request=request) for _ in range(5)]
        other = [theirs.ask("compile", request=request) for _ in range(3)]
        last, slow = (middle(a["cpu"] for a in answers) * 1000 for answers in (mine, other))
        sizes[count] = len(mine[0]["sql"])
        found = difference(fetched(con, mine[0]["sql"]), fetched(con, other[0]["sql"]))
        if found is not None:
            raise RuntimeError(f"the rows of {count} ratios differ: {found}")
        print(f"{count:28} {last:8.1f} {slow:8.0f} {slow / last:7.1f}× {sizes[count]:8} {len(other[0]['sql']):8}")
    return {"compile-80-ratios": last, "compile-80-ratios-sql": math.log(sizes[80] / sizes[20], 4)}


if __name__ == "__main__":
    main()
