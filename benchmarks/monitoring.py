"""`make bench-monitoring`: drift of many features on each day of a year, NannyML and Evidently beside ours.

All sides read one Parquet file of a reference month and one of a year. Ours chooses edges, counts tiles in one scan,
and compares each day with the reference by all its statistics, on DuckDB and on Spark. The peers have environments of
their own. They take days one by one, so that they are run for some days, and their cost of a day is taken for all.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from benchmarks.claims import report
from benchmarks.compile_time import SCRATCH
from benchmarks.peers import ROOT, Worker, environment
from benchmarks.timing import middle
from benchmarks.watched import Watched
from benchmarks.workers.processes import tree_seconds
from penstock.dialects import Dialect
from penstock.monitoring.drift import Baseline, Feature, Tiling, Window, drift, edges, features_of, moving, tiles
from penstock.monitoring.drift.distances import STATISTICS
from penstock.profile import load_target

_FOLDER = SCRATCH / "monitoring"
_RELATIVE = 1e-9
_OURS = {"jensen_shannon": "js", "hellinger": "hellinger", "l_infinity": "l_infinity", "chi2": "chi2", "psi": "psi"}

Values = Mapping[tuple[int, str], Mapping[str, float]]  # by day and feature, each statistic


class Engine(Protocol):
    """Where our SQL runs."""

    name: Dialect

    def make(self, table: str, query: str) -> None:
        """Make a table, in place of one of that name."""

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""


class DuckDb:
    """DuckDB in this process, one thread."""

    name: Dialect = "duckdb"

    def __init__(self, files: Mapping[str, str]) -> None:
        import duckdb

        self._connection = duckdb.connect()
        self._connection.execute("SET threads = 1; SET TimeZone = 'UTC'")
        for table, file in files.items():
            self._connection.execute(f"CREATE VIEW {table} AS FROM '{file}'")

    def make(self, table: str, query: str) -> None:
        self._connection.execute(f"CREATE OR REPLACE TABLE {table} AS {query}")

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return self._connection.execute(query).fetchall()


class Spark:
    """Spark with the settings of profiles.yml; its tables are Delta's."""

    name: Dialect = "spark"

    def __init__(self, files: Mapping[str, str]) -> None:
        from penstock.sessions import start_spark

        os.environ["PENSTOCK_HOME"] = str(_FOLDER / "spark")
        self._session = start_spark(load_target(ROOT).settings, [])
        for table, file in files.items():
            self._session.read.parquet(file).createOrReplaceTempView(table)

    def make(self, table: str, query: str) -> None:
        self._session.sql(f"CREATE OR REPLACE TABLE {table} USING DELTA AS {query}")

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in self._session.sql(query).collect()]


ENGINES: Mapping[str, type[DuckDb] | type[Spark]] = {"duckdb": DuckDb, "spark": Spark}


@dataclass(frozen=True)
class Cost:
    """CPU seconds, all processes together, and wall seconds."""

    cpu: float
    wall: float


def ours(engine: Engine, watched: Watched) -> dict[str, Cost]:
    """Edges, tiles and the drift of each day, as the table `drifts`; what each step took."""
    kinds: dict[str, Any] = dict.fromkeys(watched.numbers, "number") | dict.fromkeys(watched.texts, "text")
    baseline = Baseline("reference", kinds, "reference")
    costs = {}

    def step(name: str, table: str, query: Any) -> None:
        cpu, wall = tree_seconds(), time.perf_counter()
        engine.make(table, query().sql(engine.name))
        costs[name] = Cost(tree_seconds() - cpu, time.perf_counter() - wall)

    step("edges", "edges", lambda: edges(baseline, engine.name))
    tiling = Tiling("edges", baseline.edges_id, _features(engine), time="at")
    step("tiles of the reference", "reference_tiles", lambda: tiles("reference", tiling, engine.name))
    step("tiles of the year", "current_tiles", lambda: tiles("current", tiling, engine.name))
    reference, current = (Window(table, baseline.edges_id) for table in ("reference_tiles", "current_tiles"))
    step("drift", "drifts", lambda: drift(moving("edges", reference, current, engine.name, size=1), engine.name))
    return costs


def _turn(engine: Engine, watched: Watched, turn: int) -> tuple[dict[str, Cost], Cost]:
    """Ours and the scan; who goes first changes with the turn."""
    if turn % 2:
        scanned = scan(engine, watched)
        return ours(engine, watched), scanned
    return ours(engine, watched), scan(engine, watched)


def _middle(costs: Sequence[Cost]) -> Cost:
    return Cost(middle(each.cpu for each in costs), middle(each.wall for each in costs))


def _features(engine: Engine) -> tuple[Feature, ...]:
    names = ("feature", "kind", "low", "after", "level", "centre")
    rows = engine.rows(f"SELECT {', '.join(names)} FROM edges WHERE bin >= 0 ORDER BY feature, bin")
    return features_of(dict(zip(names, row, strict=True)) for row in rows)


def scan(engine: Engine, watched: Watched) -> Cost:
    """All columns read and added up, and nothing else."""
    cpu, wall = tree_seconds(), time.perf_counter()
    sums = [f"SUM({name})" for name in watched.numbers] + [f"SUM(LENGTH({name}))" for name in watched.texts]
    for table in ("reference", "current"):
        engine.rows(f"SELECT {', '.join(sums)} FROM {table}")
    return Cost(tree_seconds() - cpu, time.perf_counter() - wall)


def found(engine: Engine, days: int) -> Values:
    """What ours says of the first days."""
    told = ", ".join(STATISTICS)
    rows = engine.rows(
        f"SELECT feature, window_end, {told} FROM drifts WHERE segment = 'all'"
        f" AND window_end <= (SELECT MIN(window_end) FROM drifts) + INTERVAL {days - 1} DAY"
    )
    ends = sorted({row[1] for row in rows})
    return {(ends.index(row[1]), row[0]): dict(zip(STATISTICS, row[2:], strict=True)) for row in rows}


def compare(mine: Values, theirs: Mapping[str, Any], name: str) -> tuple[int, str]:
    """How many values of a peer are ours, and their checksum.

    Of texts the statistics are the same. Of numbers ours is an interval that has the peer's distance of the rows.

    Raises:
        RuntimeError: when one is not.
    """
    compared, digest = 0, hashlib.sha256()
    for kind in ("texts", "numbers"):
        for method, columns in theirs[kind].items():
            for feature, values in columns.items():
                for day, value in enumerate(values):
                    got = mine[day, feature]
                    if not _agrees(got, kind, method, float(value)):
                        raise RuntimeError(f"{name}, {method} of {feature} on day {day}: {value} beside {got}")
                    compared += 1
                    digest.update(f"{kind} {method} {feature} {day} {value:.9g}".encode())
    return compared, digest.hexdigest()[:12]


def _agrees(got: Mapping[str, float], kind: str, method: str, value: float) -> bool:
    if kind == "texts":
        # A bin that is empty on one side makes it infinite, where Evidently puts in a small share.
        known = got[_OURS[method]]
        return math.isinf(known) or math.isclose(known, value, rel_tol=_RELATIVE, abs_tol=_RELATIVE)
    if method == "kolmogorov_smirnov":
        return got["ks"] - _RELATIVE <= value <= got["ks_upper"] + _RELATIVE
    if method == "wasserstein":
        # Evidently divides by a deviation, which its side multiplies by again.
        return abs(got["wasserstein"] - value) <= got["wasserstein_error"] * (1 + _RELATIVE) + _RELATIVE
    return True  # distances by bins of their own


def peers(watched: Watched, files: Mapping[str, str], days: int, evidently_days: int) -> tuple[dict[str, Cost], Any]:
    """What the peers take for the whole year, from some days of it, and what they say of these."""
    costs: dict[str, Cost] = {}
    told = {}
    year = watched.days
    for name, arms in (("nannyml", ("run",)), ("evidently", ("run", "bare"))):
        some = days if name == "nannyml" else evidently_days
        with Worker(name, f"{name}_worker.py", str(environment(name) / "python")) as worker:
            answer = worker.ask("load", files=files, texts=watched.texts, numbers=watched.numbers)
            print(f"peer: {name} {answer['version']}, {some} of {year} days", flush=True)
            fixed = worker.ask("fit") if name == "nannyml" else {"cpu": 0.0, "wall": 0.0}
            for arm in arms:
                ran = worker.ask(arm, days=some)
                shown = name if arm == "run" else f"{name}, functions alone"
                costs[shown] = Cost(*(fixed[what] + ran[what] / some * year for what in ("cpu", "wall")))
                told[shown] = ran
    return costs, told


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", type=int, default=1000, help="columns, a tenth of them texts (1000)")
    parser.add_argument("--days", type=int, default=365, help="of the year (365)")
    parser.add_argument("--rows", type=int, default=200, help="a day (200)")
    parser.add_argument("--runs", type=int, default=3, help="of ours (3)")
    parser.add_argument("--peer-days", type=int, default=20, help="that NannyML is run for (20)")
    parser.add_argument("--evidently-days", type=int, default=2, help="that Evidently is run for (2)")
    parser.add_argument("--engines", nargs="*", choices=list(ENGINES), default=list(ENGINES), help="both by default")
    asked = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    watched = Watched(asked.features, asked.days, asked.rows)
    files = watched.files(_FOLDER)
    print(f"{asked.features} features, {asked.days} days of {asked.rows} rows", flush=True)
    theirs, told = peers(watched, files, asked.peer_days, asked.evidently_days)
    print(f"\n{'engine':8} {'what':26} {'CPU s':>9} {'wall s':>9} {'of ours':>9}")
    figures: dict[str, float | None] = {}
    for name in asked.engines:
        engine: Engine = ENGINES[name](files)
        runs = [_turn(engine, watched, turn) for turn in range(asked.runs)]
        steps = {step: _middle([run[0][step] for run in runs]) for step in runs[0][0]}
        mine = Cost(sum(cost.cpu for cost in steps.values()), sum(cost.wall for cost in steps.values()))
        scanned = _middle([run[1] for run in runs])
        for what, cost in {**steps, "ours": mine, "scan": scanned, **theirs}.items():
            print(f"{name:8} {what:26} {cost.cpu:9.2f} {cost.wall:9.2f} {cost.cpu / mine.cpu:8.2f}×", flush=True)
        values = found(engine, max(asked.peer_days, asked.evidently_days))
        for peer, answer in told.items():
            compared, checksum = compare(values, answer, peer)
            print(f"{name:8} {compared} values of {peer} are ours, {checksum}", flush=True)
        figures |= {f"monitoring-{peer}-{name}": theirs[peer].cpu / mine.cpu for peer in ("nannyml", "evidently")}
    report("monitoring", figures)


if __name__ == "__main__":
    main()
