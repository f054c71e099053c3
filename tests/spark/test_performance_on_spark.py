"""Performance, calibration, maturity, slices and proxies on Spark, ANSI mode on and off, are what DuckDB says."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sqlglot import exp

from penstock.monitoring.performance.calibration import calibration, calibration_points, knots_sql, reliability
from penstock.monitoring.performance.curves import Curve
from penstock.monitoring.performance.estimates import realised_and_estimated
from penstock.monitoring.performance.maturity import arrival_curve, weighted
from penstock.monitoring.performance.metrics import performance, performance_of_tiles
from penstock.monitoring.performance.proxies import proxies
from penstock.monitoring.performance.regression import number_performance
from penstock.monitoring.performance.score_tiles import score_tiles
from penstock.monitoring.performance.scores import Scores
from penstock.monitoring.performance.slices import slices

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from penstock.dialects import Dialect

ROWS = "performance_rows"
SCORES = Scores(ROWS, score="score", label="label", weight="w", keys=("day",))
KNOTS = [(0.1, 0.05), (0.4, 0.3), (0.4000001, 0.35), (0.8, 0.9)]


def random_rows() -> pd.DataFrame:
    """Scores with ties; rows without label, score or weight, and NaN; a day of one class, a day without labels."""
    rng = np.random.default_rng(21)
    n = 1_500
    p = np.round(rng.uniform(0, 1, n), 2)
    frame = pd.DataFrame({"score": p, "label": (rng.uniform(size=n) < p).astype(float), "day": rng.integers(0, 5, n)})
    frame["w"] = rng.uniform(0.5, 2, n)
    frame["age"] = np.round(rng.exponential(5, n), 1)
    frame["arrived"] = rng.uniform(size=n) < 0.7
    frame["carrier"] = rng.choice(["AA", "DL", "it's", None], n)
    frame["late"] = rng.uniform(size=n) < 0.4
    frame.loc[frame["day"] == 0, "label"] = 1.0
    frame.loc[frame["day"] == 1, "label"] = None
    for column in ("score", "label", "w", "age"):
        frame.loc[rng.choice(n, 20, replace=False), column] = None
    return frame


QUERIES: dict[str, Callable[[Dialect], exp.Query]] = {
    "performance": lambda d: performance(SCORES, d),
    "no keys": lambda d: performance(Scores(ROWS), d),
    "no rows": lambda d: performance(Scores(exp.select("*").from_(ROWS).where("FALSE")), d),
    "tiles": lambda d: performance_of_tiles(score_tiles(SCORES, d, bins=100), d, bins=100),
    "numbers": lambda d: number_performance(Scores(ROWS, keys=("carrier",)), d),
    "reliability": lambda d: reliability(Scores(ROWS), d),
    "calibration": lambda d: calibration(SCORES, d),
    "points": lambda d: calibration_points(Scores(ROWS), d, bins=None),
    "arrivals": lambda d: arrival_curve(ROWS, d, by=["carrier"], step=0.5),
    "weighted": lambda d: weighted(
        ROWS, Curve(arrival_curve(ROWS, d, by=["carrier"]), x="age", y="share", by=("carrier",)), d
    ),
    "estimated": lambda d: realised_and_estimated(SCORES, Curve("performance_knots"), d),
    "slices": lambda d: slices(SCORES, ["carrier", "late"], d, min_rows=50),
    "slices of numbers": lambda d: slices(Scores(ROWS), ["carrier"], d, numbers=True),
    "proxies": lambda d: proxies(ROWS, "late", d, texts=["carrier", "day"], numbers=["score", "age"]),
}


@pytest.fixture(scope="module")
def tables(spark: SparkSession) -> Iterator[duckdb.DuckDBPyConnection]:
    """The rows and the knots, in Spark and in DuckDB."""
    frame = random_rows()
    kinds = "score DOUBLE, label DOUBLE, day INT, w DOUBLE, age DOUBLE, arrived BOOLEAN, carrier STRING, late BOOLEAN"
    rows = list(frame.astype(object).where(frame.notna(), None).itertuples(index=False, name=None))
    rows[0] = (float("nan"), *rows[0][1:])
    spark.createDataFrame(rows, kinds).createOrReplaceTempView(ROWS)
    spark.sql(knots_sql(KNOTS, "spark")).createOrReplaceTempView("performance_knots")
    with duckdb.connect() as connection:
        columns = [kind.split()[0] for kind in kinds.split(", ")]
        connection.execute(f"CREATE TABLE {ROWS} ({kinds})")
        given = pa.table({c: pa.array(each) for c, each in zip(columns, zip(*rows, strict=True), strict=True)})
        connection.register("given", given)
        connection.execute(f"INSERT INTO {ROWS} SELECT * FROM given")
        connection.execute(f"CREATE TABLE performance_knots AS {knots_sql(KNOTS, 'duckdb')}")
        yield connection
    for view in (ROWS, "performance_knots"):
        spark.catalog.dropTempView(view)


def ordered(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Rows in an order that rounding does not change."""
    return sorted(rows, key=lambda row: [f"{x:.6g}" if isinstance(x, float) else str(x) for x in row])


@pytest.mark.usefixtures("ansi")
@pytest.mark.parametrize("name", QUERIES)
def test_spark_and_duckdb_agree(spark: SparkSession, tables: duckdb.DuckDBPyConnection, name: str) -> None:
    answer = spark.sql(QUERIES[name]("spark").sql("spark"))
    cursor = tables.execute(QUERIES[name]("duckdb").sql("duckdb"))
    assert answer.columns == [each[0] for each in cursor.description]
    found, expected = ordered([tuple(row) for row in answer.collect()]), ordered(cursor.fetchall())
    assert len(found) == len(expected)
    assert (len(found) > 0) == (name != "no rows")
    for one, other in zip(found, expected, strict=True):
        for column, value, wanted in zip(answer.columns, one, other, strict=True):
            near = pytest.approx(wanted, rel=1e-8, abs=1e-11, nan_ok=True) if isinstance(wanted, float) else wanted
            assert value == near, (column, one, other)


@pytest.mark.parametrize("name", ["performance", "estimated", "slices", "calibration", "arrivals"])
@pytest.mark.usefixtures("tables")
def test_the_rows_are_read_once(spark: SparkSession, name: str) -> None:
    answer = spark.sql(QUERIES[name]("spark").sql("spark"))
    answer.collect()
    plan = answer._jdf.queryExecution().executedPlan().toString()
    final = plan.split("== Initial Plan ==")[0]
    scans = re.findall(r"Scan ExistingRDD\[score", final)
    assert len(scans) == 1, final
