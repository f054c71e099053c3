"""The session that dbt and the command line share, and functions in every session of it."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from penstock.engines import python_functions
from penstock.engines.spark import how_far, promote, run
from penstock.errors import InvalidDefinitionError, UnknownNameError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def node(name: str, code: str, **config: str) -> dict[str, Any]:
    """A Python function as dbt's manifest holds it."""
    return {
        "name": name,
        "raw_code": code,
        "config": config,
        "returns": {"data_type": "double"},
        "original_file_path": f"udfs/{name}.py",
    }


PANDAS = """
from __future__ import annotations
import pandas as pd
def main(x: pd.Series) -> pd.Series:
    return x * 2.0
"""
ARROW = """
import pyarrow as pa
import pyarrow.compute as pc
def thrice(x: pa.Array) -> pa.Array:
    return pc.multiply(x, 3.0)
"""


@pytest.mark.parametrize(
    ("name", "code", "config", "expected"),
    [("twice", PANDAS, {}, 14.0), ("thrice", ARROW, {"entry_point": "thrice"}, 21.0)],
)
def test_python_function_is_in_every_session(
    spark: SparkSession, name: str, code: str, config: dict[str, str], expected: float
) -> None:
    open_before = spark.newSession()
    open_before.sql("SELECT 1").collect()
    function = python_functions.from_dbt(node(name, code, **config))
    promote(spark, function)
    promote(spark, function)  # a second build in the same process
    call = f"SELECT penstock_py_{name}(7D)"
    assert spark.sql(call).collect()[0][0] == expected
    assert spark.newSession().sql(call).collect()[0][0] == expected
    # A persistent function over it, which Spark forbids over temporary ones.
    spark.sql(f"CREATE OR REPLACE FUNCTION default.{name}(x DOUBLE) RETURNS DOUBLE RETURN penstock_py_{name}(x)")
    assert spark.newSession().sql(f"SELECT default.{name}(x => 7D)").collect()[0][0] == expected


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("def main(x):\n    return x\n", "must take and return pandas.Series or pyarrow.Array"),
        ("def other(x):\n    return x\n", "there is no function 'main'"),
        ("def main(x:\n", "the file does not run"),
        ("import no_such_package\n", "No module named 'no_such_package'"),
    ],
)
def test_wrong_function_file(code: str, message: str) -> None:
    with pytest.raises(InvalidDefinitionError, match=message) as caught:
        python_functions.from_dbt(node("wrong", code))
    assert caught.value.where == "udfs/wrong.py"


def test_a_failed_statement_is_told_without_a_plan(spark: SparkSession) -> None:
    with pytest.raises(UnknownNameError, match="unknown table 'no_such_table'") as caught:
        run(spark, "SELECT x FROM no_such_table")
    assert "(TABLE_OR_VIEW_NOT_FOUND)" in caught.value.where
    assert "Unresolved" not in str(caught.value)


def test_how_far_a_query_is(spark: SparkSession) -> None:
    with ThreadPoolExecutor(1) as pool:
        sleeping = "SELECT java_method('java.lang.Thread', 'sleep', 300L) AS x FROM range(0, 8, 1, 8)"
        running = pool.submit(run, spark, f"SELECT count(x) FROM ({sleeping})")
        seen = set()
        while not running.done():
            seen.add(how_far(spark))
            time.sleep(0.05)
    assert running.result().num_rows == 1
    assert any(re.fullmatch(r"stage \d of \d, [1-7] of 8 tasks", text) for text in seen), seen
    until = time.monotonic() + 10
    while how_far(spark):  # Spark tells its tracker a moment later
        assert time.monotonic() < until
