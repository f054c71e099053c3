"""`make bench-training`: what training sets cost to run, Feast's and a RANGE frame's beside ours, on Spark and DuckDB.

Feast's offline stores run in an environment of their own, and our SQL runs there too: both sides have one process, one
engine with one set of settings, and the same Parquet files. Each statement is run to its end and gives a checksum of
all its columns, which has to be the same on both sides.
"""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

from benchmarks import readings
from benchmarks.claims import report
from benchmarks.compile_time import SCRATCH
from benchmarks.peers import ROOT, Worker, feast
from benchmarks.readings import FEATURES, Data
from benchmarks.timing import alternately, middle
from penstock.profile import load_target

ENGINES = ("spark", "duckdb")
_FOLDER = SCRATCH / "training"
_READINGS, _LABELS = 500_000, 100_000
# an arm whose runs are as long as this is run twice only
_LONG = 30.0

Figures = dict[str, float | None]


@dataclass(frozen=True)
class Arm:
    """One side of a comparison.

    Args:
        name: How it is printed.
        data: What it reads.
        sql: Its statement; Feast makes its own.
        columns: The columns that are computed.
        compared: Whether the others of the comparison have to give the same rows.
    """

    name: str
    data: Data
    sql: str | None
    columns: tuple[str, ...]
    compared: bool = True


@dataclass(frozen=True)
class Cost:
    """The medians of an arm's runs, in seconds: of CPU time, all threads together, and of wall time."""

    cpu: float
    wall: float


@dataclass(frozen=True)
class Engine:
    """An engine in the worker.

    Args:
        name: `spark` or `duckdb`.
        worker: Where it runs.
        runs: How often each arm is run, after one run that warms it.
        scale: By how much the tables are larger than usual.
    """

    name: str
    worker: Worker
    runs: int
    scale: float

    def data(self, *, a_thing: float, factor: float = 1, skewed: bool = False) -> Data:
        """One table with so many readings a thing; five readings for each label."""
        count, labels = (round(n * self.scale * factor) for n in (_READINGS, _LABELS))
        return Data(count, labels, max(1, round(count / a_thing)), skewed)

    def newest(self, name: str, data: Data) -> Arm:
        """Ours, the newest values."""
        return Arm(name, data, readings.newest(data, self.name), tuple(readings.newest_columns(data)))

    def window(self, name: str, data: Data, seconds: int) -> Arm:
        """Ours, a sum and a count over a window."""
        return Arm(name, data, readings.window(data, seconds, self.name), readings.WINDOW_COLUMNS)

    def race(self, case: str, arms: list[Arm]) -> list[Cost]:
        """Run all arms in turn, print what each took, and make sure that they mean the same rows.

        Raises:
            RuntimeError: They do not.
        """
        for arm in arms:
            self._load(arm)
            self._prepare(arm)
        warm = [self._run(arm) for arm in arms]
        sums = {f"{r['rows']} rows, {r['checksum']}" for r, arm in zip(warm, arms, strict=True) if arm.compared}
        if len(sums) > 1:
            raise RuntimeError(f"{self.name}, {case}: the rows differ: {sums}")
        turns = range(2 if max(r["wall"] for r in warm) > _LONG else self.runs)
        taken = list(zip(*(alternately([partial(self._run, a) for a in arms], turn) for turn in turns), strict=True))
        costs = [Cost(*(middle(r[what] for r in runs) for what in ("cpu", "wall"))) for runs in taken]
        for arm, cost, run in zip(arms, costs, warm, strict=True):
            ratio = cost.cpu / costs[0].cpu
            print(f"{self.name:7} {case:24} {arm.name:16} {cost.cpu:8.2f} {cost.wall:8.2f} {ratio:7.2f}×  "
                  f"{run['checksum']} ({run['rows']})", flush=True)  # fmt: skip
        return costs

    def _load(self, arm: Arm) -> None:
        self.worker.ask("tables", engine=self.name, files=arm.data.files(_FOLDER))

    def _prepare(self, arm: Arm) -> None:
        if arm.sql is not None:
            self.worker.ask("prepare", engine=self.name, name=arm.name, sql=arm.sql)
            return
        files = arm.data.files(_FOLDER)
        views = {name: files[name] for name in arm.data.names}
        self.worker.ask("feast", engine=self.name, name=arm.name, views=views, features=FEATURES)

    def _run(self, arm: Arm) -> Mapping[str, float]:
        self._load(arm)
        return self.worker.ask("run", name=arm.name, columns=arm.columns)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3, help="runs of each side after one that warms it (3)")
    parser.add_argument("--scale", type=float, default=1, help="the size of all tables: 1 is 500,000 readings (1)")
    parser.add_argument("--engines", nargs="*", choices=ENGINES, default=ENGINES, help="both by default")
    parser.add_argument("--parts", nargs="*", choices=list(PARTS), default=list(PARTS), help="all by default")
    parser.add_argument("--memory", default="6g", help="of Spark's driver (6g)")
    asked = parser.parse_args()
    os.environ["PENSTOCK_HOME"] = str(_FOLDER / "spark")
    # the files' times are without a zone, which is right for DuckDB; Spark reads them as the TIMESTAMP of dbt's models
    settings = dict(load_target(ROOT).settings) | {"spark.sql.parquet.inferTimestampNTZ.enabled": "false"}
    figures: Figures = {}
    with feast() as worker:
        opened = worker.ask("open", settings=settings | {"spark.driver.memory": asked.memory}, engines=asked.engines)
        print(f"peer: feast {opened['feast']}; engines: {', '.join(opened['engines'])}; on both sides the same")
        print(f"\n{'engine':7} {'case':24} {'arm':16} {'CPU s':>8} {'wall s':>8} {'of 1st':>8}  rows")
        for name in asked.engines:
            engine = Engine(name, worker, asked.runs, asked.scale)
            for part in asked.parts:
                figures |= {f"training-{claim}-{name}": figure for claim, figure in PARTS[part](engine).items()}
    report("training", figures)


def newest(engine: Engine) -> Figures:
    """The newest values of four columns: Feast's offline store, and DuckDB's own ASOF join, beside ours."""
    found: Figures = {}
    for a_thing in (200, 50, 1000):
        data = engine.data(a_thing=a_thing)
        ours = engine.newest("ours", data)
        scan = Arm("scan", data, readings.scan(data), ("thing", "happened_at", *FEATURES), compared=False)
        arms = [ours, Arm("feast", data, None, ours.columns), scan]
        if engine.name == "duckdb":
            arms.append(Arm("asof join", data, readings.asof_join(data), ours.columns))
        mine, other, *_ = engine.race(f"newest, {a_thing} a thing", arms)
        if a_thing == 200:
            found["feast-200"] = other.cpu / mine.cpu
    return found


def windows(engine: Engine) -> Figures:
    """A sum and a count over a window: a RANGE frame by hand beside ours."""
    found: Figures = {}
    for rows in (300, 3000):
        data = engine.data(a_thing=rows * 5.5)
        seconds = readings.window_of(data, rows)
        ours = engine.window("ours", data, seconds)
        frame = Arm("RANGE frame", data, readings.range_frame(data, seconds), ours.columns)
        scan = Arm("scan", data, readings.scan(data), ("thing", "happened_at", "f2"), compared=False)
        mine, other, _ = engine.race(f"window of {rows} rows", [ours, frame, scan])
        found[f"window-{rows}"] = other.cpu / mine.cpu
    return found


def linear(engine: Engine) -> Figures:
    """How our time grows with the rows, from 1.2 million to 9.6 million: the power, where 1 is linear."""
    powers = []
    sizes = (2, 4, 8, 16)
    for case in ("newest", "window"):
        arms = []
        for factor in sizes:
            data = engine.data(a_thing=200 if case == "newest" else 1650, factor=factor)
            name = f"{(data.readings + data.labels) / 1e6:.3g} M rows"
            made = engine.newest(name, data) if case == "newest" else engine.window(name, data, _seconds(data))
            arms.append(Arm(name, data, made.sql, made.columns, compared=False))
        powers.append(_power(sizes, [cost.cpu for cost in engine.race(f"{case} by rows", arms)]))
    print(f"powers: {', '.join(f'{p:.2f}' for p in powers)}")
    return {"linear": max(powers)}


def skew(engine: Engine) -> Figures:
    """One thing has a tenth of the rows, and of the others a few most of them; a straggler shows in the wall time."""
    found = []
    for case, a_thing in (("newest", 200), ("window", 1650)):
        arms = []
        for name, skewed in (("even", False), ("skewed", True)):
            data = engine.data(a_thing=a_thing, factor=4, skewed=skewed)
            made = engine.newest(name, data) if case == "newest" else engine.window(name, data, _seconds(data))
            arms.append(Arm(name, data, made.sql, made.columns, compared=False))
        even, skewed_cost = engine.race(f"{case}, skew", arms)
        found.append(skewed_cost.cpu / even.cpu)
    return {"skew": max(found)}


def fused(engine: Engine) -> Figures:
    """Three views of one key beside one: three tables as long as the one together, or each."""
    data = engine.data(a_thing=200)
    tables = {
        "one view": data,
        "three, 1/3 each": replace(data, readings=data.readings // 3, tables=3),
        "three, as long": replace(data, tables=3),
    }
    arms = [engine.newest(name, data) for name, data in tables.items()]
    costs = engine.race("views", [Arm(a.name, a.data, a.sql, a.columns, compared=False) for a in arms])
    return {"fused": costs[1].cpu / costs[0].cpu}


def _seconds(data: Data) -> int:
    return readings.window_of(data, 300)


def _power(sizes: tuple[int, ...], costs: list[float]) -> float:
    """The slope of the best line through the logarithms."""
    x, y = [math.log(s) for s in sizes], [math.log(c) for c in costs]
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    return sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True)) / sum((a - mean_x) ** 2 for a in x)


PARTS = {"newest": newest, "windows": windows, "linear": linear, "skew": skew, "fused": fused}

if __name__ == "__main__":
    main()
