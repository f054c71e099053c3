"""`predict()` as Spark's analyser meets it: in sessions, views, DataFrames, and when it is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from penstock.engines.spark import run
from penstock.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyspark.sql import SparkSession


@pytest.fixture(scope="module", autouse=True)
def model(spark: SparkSession) -> Iterator[None]:
    """Two functions as promotion makes them, that tell what each input got."""
    spark.sql("CREATE SCHEMA IF NOT EXISTS ml")
    spark.sql(
        "CREATE OR REPLACE FUNCTION ml.told(hour BIGINT, carrier STRING, delay DOUBLE DEFAULT NULL) RETURNS STRING"
        " RETURN concat_ws('|', hour, carrier, coalesce(string(delay), 'none'))"
    )
    spark.sql("CREATE OR REPLACE FUNCTION ml.plus_one(a DOUBLE) RETURNS DOUBLE RETURN a + 1")
    spark.sql(
        "CREATE OR REPLACE TABLE default.called USING DELTA AS"
        " SELECT 1.5D AS delay, 'UA' AS carrier, 'x' AS more, 7 AS hour"
    )
    yield
    for function in ("told", "plus_one"):
        spark.sql(f"DROP FUNCTION ml.{function}")
    spark.sql("DROP TABLE default.called")


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("predict('told', 7, 'UA')", "7|UA|none"),
        ("predict('told', hour, carrier, delay)", "7|UA|1.5"),
        ("PREDICT('told', delay => 2, hour => 1, carrier => more)", "1|x|2.0"),
        ("predict('told', *)", "7|UA|1.5"),
        ("predict('told', c.*)", "7|UA|1.5"),
        ("predict('told', 1, concat(predict('plus_one', 2), ''))", "1|3.0|none"),
        ("max(predict('told', hour, carrier))", "7|UA|none"),
    ],
)
def test_each_session_resolves_it(spark: SparkSession, call: str, expected: str) -> None:
    [[value]] = spark.newSession().sql(f"SELECT {call} FROM default.called AS c").collect()
    assert value == expected


def test_views_and_dataframes(spark: SparkSession) -> None:
    from pyspark.sql import functions as f

    spark.sql("CREATE OR REPLACE VIEW default.told_view AS SELECT predict('told', c.*) AS t FROM default.called AS c")
    assert spark.newSession().table("default.told_view").collect()[0].t == "7|UA|1.5"
    spark.sql("DROP VIEW default.told_view")
    call = f.call_function("predict", f.lit("told"), f.col("hour"), f.col("carrier"))
    assert spark.table("default.called").select(call.alias("t")).collect()[0].t == "7|UA|none"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            "predict('tolt', 1)",
            "unknown model 'tolt'\n  where: predict\\('tolt', 1\\)\n  did you mean: told\n  fix: train",
        ),
        ("predict(carrier, 1)", "needs the model's name as a text literal first\n  where: predict\\(carrier, 1\\)"),
        ("predict(7)", "needs the model's name"),
        ("predict()", "needs the model's name"),
        ("predict('told', 7)", "lacks carrier\n  where: told\\(hour BIGINT, carrier STRING, delay DOUBLE = NULL\\)"),
        ("predict('told', carrier, 'UA')", "column 'carrier' stands in the place of input 'hour'"),
        ("predict('told', '7', 'UA')", "input 'hour' of predict\\('told', …\\) is BIGINT, and STRING was given"),
        ("predict('told', 7.5D, 'UA')", "is BIGINT, and DOUBLE was given"),
        ("predict('told', 7, 'UA', delay => 'late')", "input 'delay' .* is DOUBLE, and STRING was given"),
        ("predict('told', 7, array(1))", "is STRING, and ARRAY<INT> was given"),
        ("predict('x\\' OR 1=1 --', 1)", "unknown model"),
    ],
)
def test_a_wrong_call_is_told_when_it_is_planned(spark: SparkSession, call: str, message: str) -> None:
    with pytest.raises(InvalidRequestError, match=message) as caught:
        run(spark, f"SELECT {call} FROM default.called")
    assert "SQLSTATE" not in str(caught.value)


@pytest.mark.parametrize("value", ["7Y", "7", "NULL", "CAST(7.25 AS DECIMAL(5,2))", "1.5F"])
def test_numbers_of_any_kind_fit_a_double(spark: SparkSession, value: str) -> None:
    assert spark.sql(f"SELECT predict('plus_one', {value})").count() == 1


def test_describe_tells_how_to_call_it(spark: SparkSession) -> None:
    told = "\n".join(row[0] for row in spark.newSession().sql("DESCRIBE FUNCTION predict").collect())
    assert "predict(model, …) - The score of a registered model for a row." in told
