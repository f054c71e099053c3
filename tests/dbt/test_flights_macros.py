"""The macros for Delta tables and functions, in a project of one model, built several times in one Spark session."""

from __future__ import annotations

import math
import shutil
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ROOT = Path(__file__).parents[2]
SCHEMA = "flights_macros"

PROJECT = """
name: penstock
version: 0.1.0
profile: penstock
function-paths: [udfs]
flags: {partial_parse: false, send_anonymous_usage_stats: false}
models:
  +file_format: delta
  +persist_docs: {relation: true, columns: true}
"""
MODEL = """
{{ config(materialized='incremental', incremental_strategy='merge', unique_key='id') }}
with prices as (select id, price from flights_macros.raw)
{{ penstock.delta_changes('prices') }}
"""
MODEL_YML = r"""
models:
  - name: prices
    description: Prices.
    columns:
      - {name: id, description: "the item's \\ key,\n on two lines"}
      - {name: price, description: DESCRIPTION}
"""


class Project:
    """A dbt project in a folder, built in this process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "macros").mkdir()
        (folder / "models").mkdir()
        for macro in ("functions.sql", "delta_comments.sql", "delta_changes.sql"):
            shutil.copy(ROOT / "macros" / macro, folder / "macros")
        shutil.copytree(ROOT / "udfs", folder / "udfs")
        profile = (ROOT / "profiles.example.yml").read_text().replace("schema: penstock", f"schema: {SCHEMA}")
        (folder / "profiles.yml").write_text(profile)
        (folder / "dbt_project.yml").write_text(PROJECT)
        (folder / "models" / "prices.sql").write_text(MODEL)
        self.describe("in dollars")

    def describe(self, price: str) -> None:
        (self.folder / "models" / "prices.yml").write_text(MODEL_YML.replace("DESCRIPTION", price))

    def build(self, *arguments: str) -> None:
        from dbt.cli.main import dbtRunner

        place = ["--project-dir", str(self.folder), "--profiles-dir", str(self.folder)]
        done = dbtRunner().invoke(["--quiet", "build", *arguments, *place])
        assert done.success, done.exception or [r.message for r in done.result.results]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project, its functions made."""
    project = Project(tmp_path_factory.mktemp("project"))
    project.build("--select", "resource_type:function")
    return project


@pytest.fixture(scope="module")
def session(project: Project) -> SparkSession:
    """The session that dbt made or found."""
    from pyspark.sql import SparkSession

    return SparkSession.builder.getOrCreate()


def test_a_build_without_news_leaves_the_history_as_it_was(project: Project, session: SparkSession) -> None:
    def history() -> list[str]:
        rows = session.sql(f"describe history {SCHEMA}.prices").orderBy("version").collect()
        return [row["operation"] for row in rows]

    def prices() -> dict[int, int]:
        return {row["id"]: row["price"] for row in session.table(f"{SCHEMA}.prices").collect()}

    session.sql(
        f"create or replace table {SCHEMA}.raw using delta as select * from values (1, 10), (2, 20) as t (id, price)"
    )
    project.build()
    first = ["CREATE OR REPLACE TABLE AS SELECT", "CHANGE COLUMNS"]
    assert history() == first
    comments = {row["col_name"]: row["comment"] for row in session.sql(f"describe table {SCHEMA}.prices").collect()}
    assert comments == {"id": "the item's \\ key, on two lines", "price": "in dollars"}

    project.build()
    assert history() == first

    session.sql(f"update {SCHEMA}.raw set price = 21 where id = 2")
    session.sql(f"insert into {SCHEMA}.raw values (3, 30)")
    project.build()
    assert history() == [*first, "MERGE"]
    assert prices() == {1: 10, 2: 21, 3: 30}

    project.describe("in cents")
    project.build()
    assert history() == [*first, "MERGE", "CHANGE COLUMN"]


@pytest.mark.parametrize(
    ("points", "miles"),
    [
        ("40.6398, -73.7789, 33.9425, -118.4081", 2475),  # New York to Los Angeles
        ("40.6398, -73.7789, 18.4394, -66.0018", 1598),  # New York to San Juan
        ("40.7, -74, 40.7, -74", 0),
        ("0, 0, 0, 180", math.pi * 3958.7613),
        ("90, 0, -90, 0", math.pi * 3958.7613),
        ("0, 179.5, 0, -179.5", math.pi * 3958.7613 / 180),
        ("40.7, -74, null, -66", None),
    ],
)
def test_great_circle_miles(session: SparkSession, points: str, miles: float | None) -> None:
    found = session.sql(f"select {SCHEMA}.great_circle_miles({points})").first()[0]
    assert found == (None if miles is None else pytest.approx(miles, rel=0.004, abs=1e-9))


@pytest.mark.parametrize(
    ("call", "p"),
    [
        ("chi2_sf(50, 7)", 1.4444852779215397e-08),  # scipy.stats.chi2.sf
        ("norm_sf(5)", 2.866515718791933e-07),  # scipy.stats.norm.sf
        ("ks_sf(1.5)", 0.022217962616525127),  # scipy.special.kolmogorov
        ("chi2_sf(1, 0)", None),
    ],
)
def test_tails_of_distributions(session: SparkSession, call: str, p: float | None) -> None:
    [(found,)] = session.sql(f"select {SCHEMA}.{call}").collect()
    assert found == (None if p is None else pytest.approx(p, rel=1e-11))


@pytest.mark.parametrize(
    ("utc", "zone", "local"),
    [
        ("2013-01-01 04:59:00", "America/New_York", "2012-12-31 23:59:00"),
        ("2013-03-10 06:59:00", "America/New_York", "2013-03-10 01:59:00"),
        ("2013-03-10 07:00:00", "America/New_York", "2013-03-10 03:00:00"),
        ("2013-11-03 05:30:00", "America/New_York", "2013-11-03 01:30:00"),
        ("2013-11-03 06:30:00", "America/New_York", "2013-11-03 01:30:00"),
        ("2013-07-01 12:00:00", "America/Phoenix", "2013-07-01 05:00:00"),
        ("2013-07-01 12:00:00", "Pacific/Honolulu", "2013-07-01 02:00:00"),
        ("2013-07-01 12:00:00", "America/Puerto_Rico", "2013-07-01 08:00:00"),
        (None, "America/Puerto_Rico", None),
        ("2013-07-01 12:00:00", None, None),
    ],
)
def test_airport_local_time(session: SparkSession, utc: str | None, zone: str | None, local: str | None) -> None:
    def quote(text: str | None) -> str:
        return "null" if text is None else f"'{text}'"

    at = f"cast({quote(utc)} as timestamp), cast({quote(zone)} as string)"
    found = session.sql(
        f"select cast({SCHEMA}.airport_local_time({at}) as string), cast(from_utc_timestamp({at}) as string)"
    ).first()
    assert found == (local, local)


def test_functions_are_described_and_take_named_arguments(session: SparkSession) -> None:
    text = "\n".join(row[0] for row in session.sql(f"describe function extended {SCHEMA}.great_circle_miles").collect())
    assert "statute miles; NULL where a coordinate is." in text
    assert "latitude of the first point, in degrees" in text
    arguments = "time_zone => 'America/Phoenix', at => timestamp'2013-07-01 12:00:00'"
    found = session.sql(f"select {SCHEMA}.airport_local_time({arguments}) as local").first()
    assert found["local"] == datetime(2013, 7, 1, 5)


def test_one_call_mixes_zones_and_nulls() -> None:
    """Without Spark: the function as it is in its file, over one batch."""
    import pandas as pd

    namespace: dict[str, object] = {}
    exec((ROOT / "udfs" / "airport_local_time.py").read_text(), namespace)
    at = pd.Series(pd.to_datetime(["2013-07-01 12:00"] * 3 + [None]), index=[7, 5, 3, 1])
    zones = pd.Series(["America/Phoenix", None, "America/New_York", "America/Phoenix"], index=[7, 5, 3, 1])
    local = namespace["main"](at, zones)  # type: ignore[operator]
    expected = pd.Series(pd.to_datetime(["2013-07-01 05:00", None, "2013-07-01 08:00", None]), index=[7, 5, 3, 1])
    pd.testing.assert_series_equal(local, expected)
