"""Statistics of drift on Spark, ANSI mode on and off: the golden numbers, and what DuckDB says of random counts."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

from penstock.monitoring.discovery import adjusted
from penstock.monitoring.drift import Histograms, drift
from penstock.monitoring.drift.distances import STATISTICS
from penstock.monitoring.tails import TAILS, body
from tests.unit.monitoring.golden_drift import (
    CHI2_EDGES,
    CHI2_TAILS,
    GOLDEN,
    KOLMOGOROV_EDGES,
    NORMAL_EDGES,
    NORMAL_TAILS,
    employment,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyspark.sql import SparkSession

pytestmark = pytest.mark.usefixtures("ansi")

PAGE = Path(__file__).parents[2] / "docs" / "drift.md"
ARGUMENTS = {"x": "DOUBLE", "z": "DOUBLE", "df": "BIGINT"}


@cache
def body_of(name: str) -> str:
    return body(name, "spark")


@pytest.fixture(scope="module")
def functions(spark: SparkSession) -> Iterator[None]:
    """The three SQL functions, as dbt makes them of udfs/, for this session."""
    for name, arguments in TAILS.items():
        given = ", ".join(f"{each} {ARGUMENTS[each]}" for each in arguments)
        spark.sql(f"CREATE TEMPORARY FUNCTION {name}({given}) RETURNS DOUBLE DETERMINISTIC RETURN {body_of(name)}")
    yield
    for name in TAILS:
        spark.sql(f"DROP TEMPORARY FUNCTION {name}")


def asked(spark: SparkSession, name: str, **arguments: Any) -> np.ndarray[Any, Any]:
    """What the function says of each row."""
    spark.createDataFrame(pd.DataFrame(arguments)).createOrReplaceTempView("tail_rows")
    answer = spark.sql(f"SELECT {name}({', '.join(arguments)}) FROM tail_rows").collect()
    spark.catalog.dropTempView("tail_rows")
    return np.array([p for (p,) in answer], float)


@pytest.mark.usefixtures("functions")
def test_golden_tails(spark: SparkSession) -> None:
    for (x, df), expected in CHI2_TAILS.items():
        [(found,)] = spark.sql(f"SELECT chi2_sf({x}, {df})").collect()
        assert found == pytest.approx(expected, rel=1e-11)
    for z, expected in NORMAL_TAILS.items():
        [(found,)] = spark.sql(f"SELECT norm_sf({z})").collect()
        assert found == pytest.approx(expected, rel=1e-12)


@pytest.mark.usefixtures("functions")
def test_tails_are_scipys(spark: SparkSession) -> None:
    rng = np.random.default_rng(0)
    df = rng.integers(1, 1_000, 300)
    x = rng.gamma(df / 2, 2) * rng.choice([0.5, 1.0, 2.0], 300)
    np.testing.assert_allclose(asked(spark, "chi2_sf", x=x, df=df), stats.chi2.sf(x, df), rtol=1e-11, atol=1e-290)
    z = rng.uniform(-38, 36, 300)
    np.testing.assert_allclose(asked(spark, "norm_sf", z=z), stats.norm.sf(z), rtol=1e-12, atol=1e-290)
    d = np.r_[rng.uniform(0, 10, 300), 0.04, 1.18]
    np.testing.assert_allclose(asked(spark, "ks_sf", x=d), special.kolmogorov(d), rtol=1e-12, atol=1e-290)


@pytest.mark.usefixtures("functions")
def test_the_example_of_the_docs(spark: SparkSession) -> None:
    [statement] = re.findall(r"```sql\n(.*?)```", PAGE.read_text(), re.DOTALL)
    [row] = spark.sql(statement).collect()
    assert row["chi2_p"] == pytest.approx(GOLDEN["marital", "chi2_p"], rel=1e-9)
    assert row["ks_p"] == pytest.approx(GOLDEN["age", "ks_p"], rel=1e-9)
    assert row["two_sided"] == pytest.approx(2 * stats.norm.sf(1.96), rel=1e-12)


@pytest.mark.usefixtures("functions")
def test_where_there_is_nothing_to_compute(spark: SparkSession) -> None:
    cases = [("chi2_sf", *arguments, expected) for arguments, expected in CHI2_EDGES.items()]
    cases += [("norm_sf", argument, "NULL", expected) for argument, expected in NORMAL_EDGES.items()]
    cases += [("ks_sf", argument, "NULL", expected) for argument, expected in KOLMOGOROV_EDGES.items()]
    values = [f"({at}, CAST({x} AS DOUBLE), CAST({df} AS BIGINT))" for at, (_, x, df, _) in enumerate(cases)]
    rows = f"VALUES {', '.join(values)} AS t (id, x, df)"
    answer = spark.sql(f"SELECT chi2_sf(x, df), norm_sf(x), ks_sf(x) FROM {rows} ORDER BY id").collect()
    for row, (name, *_, expected) in zip(answer, cases, strict=True):
        found = row[list(TAILS).index(name)]
        assert found == (expected if expected is None else pytest.approx(expected, abs=1e-15)), name


def test_golden_numbers(spark: SparkSession) -> None:
    answer = spark.sql(drift(Histograms(employment()), "spark").sql("spark")).collect()
    rows = {row["feature"]: row for row in answer}
    for (pair, statistic), expected in GOLDEN.items():
        assert rows[pair][statistic] == pytest.approx(expected, rel=1e-9), (pair, statistic)
    assert rows["marital"]["ks"] is None


def random_bins() -> pd.DataFrame:
    """40 features of 12 bins; some bins are empty, open to a side or without a position, some sides without rows."""
    rng = np.random.default_rng(7)
    frame = pd.DataFrame(
        {
            "feature": np.repeat([f"f{at}" for at in range(40)], 12),
            "position": rng.permuted(np.tile(np.arange(12.0), (40, 1)), axis=1).ravel(),
            "n": rng.poisson(5, 480),
            "m": rng.poisson(np.repeat(rng.choice([0.5, 5.0, 50.0], 40), 12)),
            "width": rng.choice([0.0, 1.0], 480),
        }
    )
    frame.loc[rng.choice(480, 5, replace=False), "width"] = np.nan
    frame.loc[rng.choice(480, 30, replace=False), "position"] = np.nan
    frame.loc[frame["feature"] == "f0", "m"] = 0
    frame.loc[frame["feature"] == "f1", ["n", "m"]] = 0
    frame.loc[frame["feature"] == "f2", "position"] = np.nan
    frame.loc[(frame["feature"] == "f3") & (frame["position"] != 0), ["n", "m"]] = 0
    return frame


@pytest.fixture
def bins(spark: SparkSession) -> Iterator[list[tuple[Any, ...]]]:
    """The view `drift_bins`, and its rows."""
    frame = random_bins()
    rows = list(frame.astype(object).where(frame.notna(), None).itertuples(index=False, name=None))
    kinds = "feature STRING, position DOUBLE, n BIGINT, m BIGINT, width DOUBLE"
    spark.createDataFrame(rows, kinds).createOrReplaceTempView("drift_bins")
    yield rows
    spark.catalog.dropTempView("drift_bins")


@pytest.mark.parametrize("smoothing", ["none", "jeffreys"])
def test_spark_and_duckdb_agree(spark: SparkSession, bins: list[tuple[Any, ...]], smoothing: Any) -> None:
    histograms = Histograms("drift_bins", width="width")
    query = adjusted(drift(histograms, "spark", smoothing=smoothing), "spark").sql("spark")
    found = [tuple(row) for row in spark.sql(f"SELECT * FROM ({query}) ORDER BY feature").collect()]
    query = adjusted(drift(histograms, "duckdb", smoothing=smoothing), "duckdb").sql("duckdb")
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE drift_bins (feature TEXT, position DOUBLE, n BIGINT, m BIGINT, width DOUBLE)")
        connection.executemany("INSERT INTO drift_bins VALUES (?, ?, ?, ?, ?)", bins)
        expected = connection.execute(f"SELECT * FROM ({query}) ORDER BY feature").fetchall()
    assert len(found) == len(expected) == 40
    for one, other in zip(found, expected, strict=True):
        for name, value, wanted in zip(("feature", *STATISTICS, "p_adjusted"), one, other, strict=True):
            same = wanted if wanted is None or name == "feature" else pytest.approx(wanted, rel=1e-9, abs=1e-12)
            assert value == same, (one[0], name)
    assert sum(row[STATISTICS.index("chi2_p") + 1] is None for row in found) == 3, "of f0, f1 and f3"


@pytest.mark.usefixtures("bins")
def test_one_scan_one_exchange_and_one_sort(spark: SparkSession) -> None:
    query = drift(Histograms("drift_bins", width="width"), "spark").sql("spark")
    plan = spark.sql(query)._jdf.queryExecution().sparkPlan().toString()
    assert (plan.count("Scan"), "Join" in plan) == (1, False)
    plan = spark.sql(query)._jdf.queryExecution().executedPlan().toString()
    steps = re.findall(r"^\W*(\w+)", plan, re.MULTILINE)
    assert (steps.count("Exchange"), steps.count("Sort")) == (1, 1), steps
