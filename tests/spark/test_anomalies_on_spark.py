"""What the log of a Delta table tells of each commit, and what is not as usual by that; by buckets as on DuckDB."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from penstock.monitoring.anomalies.commits import newest_commit, series_of_commits, versions_around
from penstock.monitoring.anomalies.series import Buckets
from penstock.monitoring.anomalies.usual import FINDINGS, Usual, findings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

TABLE = "default.days_of_it"
COLUMNS = ("id", "x", "part", "deep")
ROWS = (
    "id, IF(id % 10 < {nulls}, NULL, 'x') AS x, STRUCT(id AS y) AS deep,"
    " TIMESTAMP'2026-01-05' + MAKE_DT_INTERVAL({day}) AS moment"
)


@pytest.fixture(scope="module")
def location(spark: SparkSession) -> str:
    """A table of which each commit writes 40 rows or so; between them others delete, change, and put together."""

    def rows(n: int, nulls: int, day: int) -> str:
        return f"SELECT {ROWS.format(nulls=nulls, day=day)} FROM RANGE({n})"

    properties = "TBLPROPERTIES ('delta.enableDeletionVectors' = 'true')"
    spark.sql(f"CREATE OR REPLACE TABLE {TABLE} USING DELTA {properties} AS {rows(40, 1, 0)}")  # 0
    spark.sql(f"INSERT INTO {TABLE} {rows(41, 1, 1)}")  # 1
    spark.sql(f"DELETE FROM {TABLE} WHERE id = 7")  # 2
    spark.sql(
        f"MERGE INTO {TABLE} AS t USING ({rows(40, 1, 2)}) AS s ON t.id = s.id AND t.moment = s.moment"
        " WHEN NOT MATCHED THEN INSERT *"
    )  # 3
    spark.sql(f"ALTER TABLE {TABLE} ADD COLUMNS (part INT)")  # 4
    spark.sql(f"INSERT INTO {TABLE} SELECT *, NULL FROM ({rows(10, 9, 3)})")  # 5
    return str(spark.sql(f"DESCRIBE DETAIL {TABLE}").first()["location"])


@pytest.mark.usefixtures("ansi")
def test_points_are_those_of_the_commits(spark: SparkSession, location: str) -> None:
    asked = series_of_commits(location, COLUMNS).sql("spark")
    found: dict[str, list[float]] = {}
    rows = spark.sql(asked).orderBy("at").collect()
    for row in rows:
        found.setdefault(f"{row['what']} {row['column_name']}".strip(), []).append(row["measure"])
    gaps = found.pop("freshness")
    assert found == {
        "volume": [40, 41, 40, 10],
        "nulls id": [0, 0, 0, 0],
        "nulls x": [pytest.approx(share) for share in (0.1, 5 / 41, 0.1, 0.9)],
        "nulls part": [1],
    }, "a struct has no count of its own, and what was not there yet has none"
    history = spark.sql(f"DESCRIBE HISTORY {TABLE}").orderBy("version").collect()
    times = [row["timestamp"] for row in history if row["operation"] not in ("DELETE", "ADD COLUMNS")]
    written = [row["at"] for row in rows if row["what"] == "volume"]
    # A commit is dated before it is written, and the history has when its file was.
    assert all(before < at <= now for before, at, now in zip([datetime.min, *times], written, times, strict=False))
    wanted = [(after - before).total_seconds() for before, after in pairwise(written)]
    assert gaps[:-1] == [pytest.approx(max(1, gap)) for gap in wanted]
    assert len(gaps) == 4, "the last one goes on until now"
    newest = spark.sql(newest_commit(location).sql("spark")).first()["newest"]
    assert newest == written[-1]
    [versions] = spark.sql(versions_around(location, "1 day").sql("spark")).collect()
    assert (versions["newest"], versions["before"]) == (5, 0), "nothing is older than a day"
    [versions] = spark.sql(versions_around(location, "0 seconds").sql("spark")).collect()
    assert versions["before"] == 5


def test_what_is_not_as_usual_by_commits(spark: SparkSession, location: str) -> None:
    usual = Usual(("volume", "nulls"), columns=COLUMNS, past=3, min_past=3, alpha=0.4)
    rows = spark.sql(findings(TABLE, usual, "spark", location=location).sql("spark")).collect()
    assert {(row["what"], row["column_name"]) for row in rows} == {("volume", None), ("nulls", "x")}
    [volume] = [row for row in rows if row["what"] == "volume"]
    assert (volume["found"], volume["expected"], volume["effect"], volume["past"]) == (10, 40, -0.75, 3)
    late = Buckets("moment", as_of="2999-01-01 00:00:00")
    for within, expected in ((None, None), ("1 day", 86_400)):
        usual = Usual(("freshness",), late, within=within, past=3, min_past=3, alpha=0.2)
        [row] = spark.sql(findings(TABLE, usual, "spark", location=location).sql("spark")).collect()
        assert tuple(row.asDict()) == FINDINGS
        assert row["found"] > 900 * 365 * 86_400
        assert expected is None or row["expected"] == expected
    usual = Usual(("freshness",), within="1 hour")
    assert not spark.sql(findings(TABLE, usual, "spark", location=location).sql("spark")).collect()


def test_buckets_are_judged_as_on_duckdb(spark: SparkSession, ansi: None) -> None:
    import duckdb
    import pandas as pd

    start = datetime(2026, 1, 5)
    counts = [30 + day % 3 for day in range(14)] + [4]
    data: dict[str, Any] = {
        "moment": [start + timedelta(days=day, minutes=i) for day, n in enumerate(counts) for i in range(n)],
        "x": [None if i % 9 == day % 2 else 1.5 for day, n in enumerate(counts) for i in range(n)],
    }
    rows_of_days = list(zip(*data.values(), strict=True))
    spark.createDataFrame(rows_of_days, "moment TIMESTAMP, x DOUBLE").createOrReplaceTempView("judged_days")
    asked = {"columns": ("x",), "alpha": 0.9999, "min_change": {"volume": 0, "nulls": 0}, "last": 5}
    usual = Usual(("volume", "nulls"), Buckets("moment", as_of="2026-01-20 07:00:00"), **asked)
    rows = spark.sql(findings("judged_days", usual, "spark").sql("spark")).collect()
    connection = duckdb.connect()
    connection.register("judged_days", pd.DataFrame(data))
    others = connection.execute(findings("judged_days", usual, "duckdb").sql("duckdb")).fetchall()

    def by_point(found: list[Any]) -> dict[Any, Any]:
        return {tuple(map(str, row[:3])): pytest.approx(row[3:7], rel=1e-9) for row in found}

    assert len(rows) > 1
    assert {tuple(map(str, row[:3])): row[3:7] for row in rows} == by_point(others)
    # Where all rows are still to come there is nothing to judge.
    early = Usual(("volume", "nulls"), Buckets("moment", as_of="2020-01-01"), **asked)
    assert spark.sql(findings("judged_days", early, "spark").sql("spark")).collect() == []
