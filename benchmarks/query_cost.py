"""`make bench-query-cost`: what the SQL costs to run, MetricFlow's beside ours, and how far ours is from a plain scan.

DuckDB with one thread, CPU time, the two in turn; the rows have to be equal. Data: flights repeated over shifted years
(20.2 million rows), and TPC-H at scale factor 1.
"""

from __future__ import annotations

import argparse
import json
from functools import partial
from importlib.metadata import version
from types import ModuleType

import duckdb

from benchmarks import flights, tpch
from benchmarks.cases import Case
from benchmarks.claims import report
from benchmarks.compile_time import SCRATCH
from benchmarks.peers import metricflow, penstock
from benchmarks.rows import Table, checksum, difference, fetched
from benchmarks.timing import alternately, cpu_seconds, geometric_mean, middle

# so many seconds of each side are measured, in no more than so many runs
_LEAST_SECONDS, _MOST_RUNS = 2.0, 25
PLACES: dict[str, ModuleType] = {"flights": flights, "tpch": tpch}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="runs of each side at least, the median counts (5)")
    parser.add_argument("--places", nargs="*", choices=list(PLACES), default=list(PLACES), help="the data; all")
    asked = parser.parse_args()
    print(f"peer: metricflow {version('metricflow')}; engine: duckdb {duckdb.__version__}, one thread")
    SCRATCH.mkdir(parents=True, exist_ok=True)
    ratios: dict[Case, float] = {}
    for place in asked.places:
        ratios |= measured(place, PLACES[place], asked.runs)
    running = [r for case, r in ratios.items() if case.cumulative]
    report(
        "query-cost",
        {
            "query-cost-mean": geometric_mean(ratios.values()),
            "query-cost-worst": min(ratios.values()),
            "query-cost-cumulative": min(running),
        },
    )


def measured(place: str, data: ModuleType, runs: int) -> dict[Case, float]:
    """The peer's cost over ours for each case of one set of data."""
    database, manifest = SCRATCH / f"{place}.duckdb", SCRATCH / f"{place}.json"
    if not database.exists():
        print(f"making {database}", flush=True)
        unfinished = database.with_suffix(".part")
        unfinished.unlink(missing_ok=True)
        data.build(unfinished)
        unfinished.rename(database)
    manifest.write_text(json.dumps(data.manifest()))
    con = duckdb.connect(str(database), read_only=True, config={"threads": 1})
    print(f"\n{place}: {con.execute(f'SELECT count(*) FROM {data.CASES[0].fact}').fetchall()[0][0]:,} rows")
    print(f"{'CPU s a query':28} {'scan':>8} {'ours':>8} {'peer':>8} {'ratio':>8} {'ours/scan':>10}  rows")
    ratios: dict[Case, float] = {}
    with penstock() as ours, metricflow() as theirs:
        for side in (ours, theirs):
            side.ask("load", manifest=str(manifest))
        for case in data.CASES:
            mine, other = (side.ask("compile", request=case.request)["sql"] for side in (ours, theirs))
            table = _equal(con, case, mine, other)
            scan, our, their = _costs(con, (case.scan, mine, other), runs)
            ratios[case] = their / our
            print(f"{case.name:28} {scan:8.3f} {our:8.3f} {their:8.3f} {their / our:7.2f}× {our / scan:9.1f}×  "
                  f"{checksum([table])} ({len(table[1])})", flush=True)  # fmt: skip
    return ratios


def _equal(con: duckdb.DuckDBPyConnection, case: Case, mine: str, other: str) -> Table:
    ours = fetched(con, mine)
    found = difference(ours, fetched(con, other))
    if found is not None:
        raise RuntimeError(f"the rows of '{case.name}' differ: {found}")
    return ours


def _costs(con: duckdb.DuckDBPyConnection, statements: tuple[str, ...], runs: int) -> list[float]:
    """The median CPU time of each statement, run in turn; short ones more often, since they are the noisier.

    The run that compared the rows has warmed all of them.
    """

    def run(sql: str) -> float:
        return cpu_seconds(lambda: con.execute(sql).fetchall())[0]

    longest = max(run(sql) for sql in statements[1:])
    turns = range(max(runs, min(_MOST_RUNS, round(_LEAST_SECONDS / longest))))
    taken = [alternately([partial(run, sql) for sql in statements], turn) for turn in turns]
    return [middle(times) for times in zip(*taken, strict=True)]


if __name__ == "__main__":
    main()
