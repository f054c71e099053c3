"""`make bench-predict`: what predict() costs, MLflow's spark_udf beside it, and how far both are from the limits.

One Spark session, one Delta table; a statement sums the scores of all its rows. The limits are a plain scan of the same
columns, and the model's own library on a matrix in memory. Both sides' scores are compared row by row first.
"""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from benchmarks import scored
from benchmarks.claims import report
from benchmarks.compile_time import SCRATCH
from benchmarks.peers import ROOT
from benchmarks.scored import TABLE, TEXTS, Scored
from benchmarks.timing import alternately, cpu_seconds, middle
from benchmarks.workers.processes import tree_seconds
from penstock.engines.spark import run
from penstock.profile import load_target
from penstock.sessions import start_spark

if TYPE_CHECKING:
    import duckdb
    import numpy as np
    from pyspark.sql import SparkSession

_FOLDER = SCRATCH / "predict"
_TOLERANCE = 1e-6
_LINEAR = ("linear", "imputed")
_NO_ROW = " WHERE id < 0"
_WARMING = 4  # runs of each arm, while the JVM compiles what it finds hot

Figures = dict[str, float | None]
# Sums the table, or what is left of it by a condition: its seconds of CPU and of wall, and the sum.
Arm = Callable[[str], tuple[float, float, float]]


@dataclass(frozen=True)
class Cost:
    """The medians of an arm's runs: CPU microseconds a row, all processes together; what of it a statement takes that
    reads no row; and wall seconds.
    """

    cpu: float
    fixed: float
    wall: float


@dataclass(frozen=True)
class Bench:
    """The table, and how often each arm is run after the run that warms it."""

    spark: SparkSession
    rows: int
    runs: int

    def race(self, case: str, arms: dict[str, Arm]) -> dict[str, Cost]:
        """Run all arms in turn, and print what each took.

        Args:
            case: How it is printed.
            arms: By name.

        Raises:
            RuntimeError: An arm's sum is not that of the first one; the scan's counts not.
        """
        whole, none = ([partial(arm, where) for arm in arms.values()] for where in ("", _NO_ROW))
        for turn in range(_WARMING):
            warm = alternately(whole, turn)
        for name, (_, _, total) in zip(arms, warm, strict=True):
            if name != "scan" and abs(total - warm[0][2]) > _TOLERANCE * self.rows:
                raise RuntimeError(f"{case}: the sums differ: {total} of {name} and {warm[0][2]}")
        taken = zip(*(alternately(whole, turn) for turn in range(self.runs)), strict=True)
        without = zip(*(alternately(none, turn) for turn in range(self.runs)), strict=True)
        costs: dict[str, Cost] = {}
        for name, runs, empty in zip(arms, taken, without, strict=True):
            cpu, fixed = (middle(each[0] for each in some) * 1e6 / self.rows for some in (runs, empty))
            cost = costs[name] = Cost(cpu, fixed, middle(each[1] for each in runs))
            ratio = cost.cpu / next(iter(costs.values())).cpu
            print(f"{case:17} {name:10} {cost.cpu:8.3f} {cost.fixed:8.3f} {cost.wall:8.2f} {ratio:7.2f}×  "
                  f"{runs[0][2]:.6f}", flush=True)  # fmt: skip
        return costs

    def summed(self, expression: str, where: str) -> tuple[float, float, float]:
        """Sum an expression over the table, planning and all: CPU and wall seconds, and the sum."""
        cpu, wall = tree_seconds(), time.perf_counter()
        total = self.spark.sql(f"SELECT SUM({expression}) FROM {TABLE} AS t{where}").collect()[0][0]
        return tree_seconds() - cpu, time.perf_counter() - wall, float(total or 0)

    def values(self, expression: str) -> np.ndarray[Any, Any]:
        """An expression of each row, in the order of the ids."""
        import numpy as np

        got = run(self.spark, f"SELECT id, {expression} AS v FROM {TABLE} AS t")
        values: np.ndarray[Any, Any] = got["v"].to_numpy()
        return values[np.argsort(got["id"].to_numpy())]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=2_000_000, help="of the table (2000000)")
    parser.add_argument("--runs", type=int, default=5, help="runs of each side after those that warm it (5)")
    parser.add_argument("--models", nargs="*", choices=list(scored.MODELS), default=list(scored.MODELS), help="all")
    asked = parser.parse_args()
    shutil.rmtree(_FOLDER, ignore_errors=True)
    os.environ["PENSTOCK_HOME"] = str(_FOLDER)
    warnings.filterwarnings("ignore")  # of feature names and signatures, by both sides
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    spark = start_spark(load_target(ROOT).settings, [])
    scored.make_table(spark, asked.rows)
    frame = scored.first_rows(spark)
    bench = Bench(spark, asked.rows, asked.runs)
    print(f"peer: mlflow {version('mlflow')}, spark_udf with env_manager local; engines: spark {spark.version}, "
          f"duckdb {version('duckdb')}, one thread; {asked.rows:,} rows")  # fmt: skip
    print(f"\n{'case':17} {'arm':10} {'CPU µs':>8} {'no row':>8} {'wall s':>8} {'of 1st':>8}  sum")
    gains: dict[str, float] = {}
    scans: dict[str, float] = {}
    for name in asked.models:
        model = scored.MODELS[name](frame)
        if model is None:
            print(f"{name}: torch is not installed")
            continue
        uri = scored.publish(spark, name, model, frame)
        costs = on_spark(bench, name, model, uri)
        gains[name] = costs["spark_udf"].cpu / costs["ours"].cpu
        seconds = middle(cpu_seconds(model.alone)[0] for _ in range(asked.runs))
        print(f"{name:17} {'in memory':10} {seconds * 1e6 / len(frame):8.3f}", flush=True)
        if name in _LINEAR:
            scans[f"{name} spark"] = costs["ours"].cpu / costs["scan"].cpu
            scans[f"{name} duckdb"] = on_duckdb(bench, name, model)
    report("predict", _figures(gains, scans))


def on_spark(bench: Bench, name: str, model: Scored, uri: str) -> dict[str, Cost]:
    """Ours, MLflow's and the scan; the scores of the first two have to be equal."""
    import mlflow
    import numpy as np

    peer = mlflow.pyfunc.spark_udf(bench.spark, uri, result_type="double", env_manager="local")
    bench.spark.udf.register(f"peer_{name}", peer)
    ours = f"predict('{name}', t.*)"
    first = f"peer_{name}(STRUCT({', '.join(model.inputs)}))"
    theirs = f"1 - {first}" if model.classifies else first
    difference = float(np.abs(bench.values(ours) - bench.values(theirs)).max())
    if not difference <= _TOLERANCE:
        raise RuntimeError(f"{name}: a score differs by {difference}")
    engine = bench.spark.sql(f"SELECT engine FROM ml.model_aliases WHERE model = '{name}'").collect()[0][0]
    print(f"{name}: engine {engine}, {bench.rows:,} scores equal within {difference:.1e}")
    arms = {"ours": ours, "spark_udf": theirs, "scan": _scan(model, "OCTET_LENGTH")}
    return bench.race(f"{name}, spark", {arm: partial(bench.summed, sql) for arm, sql in arms.items()})


def on_duckdb(bench: Bench, name: str, model: Scored) -> float:
    """The SQL of a linear model over the scan, on the files of the table."""
    import duckdb
    import numpy as np
    from sqlglot import exp

    from penstock.scoring.linear.from_sklearn import from_sklearn
    from penstock.scoring.linear.sql import score_expression

    con = duckdb.connect(config={"threads": 1})
    files = [each.removeprefix("file://") for each in bench.spark.table(TABLE).inputFiles()]
    con.read_parquet(files).create_view("scored")
    formula = from_sklearn(model.native, model.inputs)
    columns: dict[str, exp.Expression] = {each: exp.column(each, quoted=True) for each in model.inputs}
    score = score_expression(formula, columns, "duckdb").sql("duckdb")
    ours = con.execute(f"SELECT {score} AS v FROM scored ORDER BY id").fetchnumpy()["v"]
    difference = float(np.abs(ours - bench.values(f"predict('{name}', t.*)")).max())
    if not difference <= _TOLERANCE:
        raise RuntimeError(f"{name}, DuckDB: a score differs by {difference}")
    arms = {"ours": score, "scan": _scan(model, "STRLEN")}
    costs = bench.race(f"{name}, duckdb", {arm: partial(_summed, con, sql) for arm, sql in arms.items()})
    return costs["ours"].cpu / costs["scan"].cpu


def _summed(con: duckdb.DuckDBPyConnection, expression: str, where: str) -> tuple[float, float, float]:
    wall = time.perf_counter()
    cpu, got = cpu_seconds(lambda: con.execute(f"SELECT SUM({expression}) FROM scored{where}").fetchall())
    return cpu, time.perf_counter() - wall, float(got[0][0] or 0)


def _scan(model: Scored, length: str) -> str:
    """All that a score has to read."""
    return " + ".join(f"{length}({each})" if each in TEXTS else each for each in model.inputs)


def _figures(gains: dict[str, float], scans: dict[str, float]) -> Figures:
    figures: Figures = {f"predict-{name}": gains[name] for name in gains if name not in _LINEAR}
    linear = [gains[name] for name in _LINEAR if name in gains]
    figures["predict-linear"] = min(linear) if linear else None
    for engine in ("spark", "duckdb"):
        found = [ratio for case, ratio in scans.items() if case.endswith(engine)]
        figures[f"predict-linear-scan-{engine}"] = max(found) if found else None
    return figures


if __name__ == "__main__":
    main()
