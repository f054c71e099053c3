"""Models of edges, tiles and drift over a table that changes in every way, and the test of drift on them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.local_project import LocalProject

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMA = "tile_models"
MODEL = "scored_events"
FILES = {
    "models/sources.yml": f"""
sources:
  - {{name: raw, schema: {SCHEMA}, tables: [{{name: events}}, {{name: history}}, {{name: trained}}]}}
""",
    "models/bins.sql": """
{{ config(materialized='table') }}
{{ penstock.edges(source('raw', 'history'), features=['amount', 'size', 'shop'], bins=5) }}
""",
    "models/event_tiles.sql": """
{{ config(materialized='incremental', incremental_strategy='append') }}
{{ penstock.tiles(source('raw', 'events'), ref('bins'), time='at', version='version', segments=['shop']) }}
""",
    "models/history_tiles.sql": """
{{ config(materialized='incremental', incremental_strategy='append') }}
{{ penstock.baseline_tiles(source('raw', 'trained'), ref('bins'), segments=['shop']) }}
""",
    "models/event_drift.sql": """
{{ config(materialized='table') }}
{{ penstock.drift(ref('event_tiles'), ref('history_tiles'), ref('bins'), window='2 days') }}
""",
    "models/event_drift.yml": """
models:
  - name: event_drift
    data_tests:
      - no_drift: {name: sizes, arguments: {features: [size, shop]}}
      - no_drift: {name: earlier, arguments: {window: 1 month, effect: total_variation, segments: [all]}}
      - no_drift: {name: latest, arguments: {alpha: 0.001, min_effect: 0.05}}
""",
}
EVENTS = "id BIGINT, `at` TIMESTAMP, version INT, amount DOUBLE, size INT, shop STRING"
FED = "TBLPROPERTIES (delta.enableChangeDataFeed = true)"


def events(first: int, last: int, *, day: str, shift: float = 0.0) -> str:
    """The query of rows of pseudo-random features, from one id to another, within a day."""
    part = "PMOD(HASH(id, {0}), 1000) / 1000e0"
    return (
        f"SELECT id, TIMESTAMP'{day} 00:00:00' + (id % 24) * INTERVAL '1' HOUR AS `at`, 1 AS version,"
        f" -LN(1 - {part.format(1)}) + {shift} AS amount, CAST({part.format(2)} * 4 AS INT) AS size,"
        f" IF({part.format(3)} < 0.3, 'north', 'south') AS shop FROM RANGE({first}, {last})"
    )


class Project(LocalProject):
    """The project, and what its builds left."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, FILES, SCHEMA)

    def commits(self, table: str) -> int:
        return len(self.sql(f"DESCRIBE HISTORY {SCHEMA}.{table}"))

    def added(self) -> list[Any]:
        """Build the tiles, in one commit or none; the rows that came."""
        before = self.commits("event_tiles")
        [(run,)] = self.sql(f"SELECT MAX(run) FROM {SCHEMA}.event_tiles")
        self.build("event_tiles")
        rows = self.sql(f"SELECT * FROM {SCHEMA}.event_tiles WHERE run > {run}")
        assert self.commits("event_tiles") == before + bool(rows)
        return rows

    def assert_right(self) -> None:
        """The stored tiles add up to those of the rows that there are."""
        keys = "bucket, version, segment, value, feature, bin"
        self.spark.sql(f"SELECT * FROM ({whole_sql(self)})").createOrReplaceTempView("whole_tiles")
        stored = (
            f"SELECT {keys}, SUM(n) AS n, SUM(total) AS total, SUM(squares) AS squares"
            f" FROM {SCHEMA}.event_tiles GROUP BY {keys} HAVING SUM(n) <> 0"
        )
        one = {tuple(row)[:6]: tuple(row)[6:] for row in self.sql(stored)}
        columns = f"{keys}, n, total, squares"
        other = {tuple(row)[:6]: tuple(row)[6:] for row in self.sql(f"SELECT {columns} FROM whole_tiles")}
        assert one.keys() == other.keys()
        for key, (n, total, squares) in other.items():
            assert one[key] == (n, pytest.approx(total, abs=1e-9), pytest.approx(squares, abs=1e-9)), key


def whole_sql(project: Project) -> str:
    """The tiles of all rows, straight from the compiler."""
    from penstock.monitoring.drift import Feature, Tiling, tiles

    bins = project.sql(
        "SELECT edges_id, feature, kind, MAX(bin) + 1 AS bins, SORT_ARRAY(COLLECT_LIST(STRUCT(bin, level))) AS levels"
        f" FROM {SCHEMA}.bins GROUP BY ALL"
    )
    features = tuple(
        Feature(row["feature"], row["kind"], row["bins"], tuple(x["level"] for x in row["levels"] if x["level"]))
        for row in bins
    )
    tiling = Tiling(f"{SCHEMA}.bins", bins[0]["edges_id"], features, "at", "day", "version", ("shop",))
    return tiles(f"{SCHEMA}.events", tiling, "spark").sql("spark")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The project built once, over two days of events like those that the model was trained on."""
    from penstock.registry.alias_table import ensure_tables

    made = Project(tmp_path_factory.mktemp("tiles"))
    spark = made.spark
    ensure_tables(spark)
    spark.sql(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
    days = f"{events(0, 500, day='2026-01-01')} UNION ALL {events(500, 1000, day='2026-01-02')}"
    spark.sql(f"CREATE TABLE {SCHEMA}.events ({EVENTS}) USING DELTA {FED}")
    spark.sql(f"INSERT INTO {SCHEMA}.events {days}")
    spark.sql(f"CREATE TABLE {SCHEMA}.history USING DELTA AS {events(5_000, 9_000, day='2025-12-01')}")
    trained = f"SELECT '{MODEL}' AS model, 1 AS version, '{SCHEMA}.history' AS training_set, 0 AS training_set_version"
    spark.sql(f"CREATE TABLE {SCHEMA}.trained USING DELTA AS {trained}")
    alias = "(model, alias, version, source, digest, engine)"
    spark.sql(f"INSERT INTO ml.model_aliases {alias} VALUES ('{MODEL}', 'champion', 1, '', '', '')")
    made.build("bins", "event_tiles", "history_tiles")
    yield made
    spark.sql(f"DELETE FROM ml.model_aliases WHERE model = '{MODEL}'")
    spark.sql(f"DROP SCHEMA {SCHEMA} CASCADE")


def test_a_first_run_counts_all_rows_and_a_second_one_changes_nothing(project: Project) -> None:
    project.assert_right()
    tables = ("event_tiles", "history_tiles")
    before = [project.commits(table) for table in tables], project.sql(f"SELECT * FROM {SCHEMA}.bins ORDER BY ALL")
    project.build("bins", "event_tiles", "history_tiles")
    after = [project.commits(table) for table in tables], project.sql(f"SELECT * FROM {SCHEMA}.bins ORDER BY ALL")
    assert before == after


def test_late_changed_and_deleted_rows_touch_their_buckets_alone(project: Project) -> None:
    project.sql(f"INSERT INTO {SCHEMA}.events {events(1000, 1010, day='2025-12-31')}")
    project.sql(f"UPDATE {SCHEMA}.events SET amount = amount + 1, shop = NULL WHERE id IN (3, 4)")
    project.sql(f"DELETE FROM {SCHEMA}.events WHERE id = 7")
    rows = project.added()
    assert {str(row["bucket"].date()) for row in rows} == {"2025-12-31", "2026-01-01"}
    assert len(rows) < 100, "of the rows that changed alone"
    project.assert_right()
    project.sql(f"UPDATE {SCHEMA}.events SET id = id + 100000 WHERE id = 8")
    assert project.added() == [], "of what is not counted nothing is added"
    project.assert_right()


def test_a_run_that_breaks_and_one_beside_another_add_nothing(project: Project) -> None:
    from py4j.protocol import Py4JJavaError

    project.sql(f"INSERT INTO {SCHEMA}.events {events(2000, 2020, day='2026-01-02')}")
    node = project.dbt("compile", "--select", "event_tiles").result.results[0].node
    statement = node.compiled_code
    broken = f"SELECT * FROM ({statement}) WHERE IF(n > 0, RAISE_ERROR('killed'), TRUE)"
    before = project.commits("event_tiles")
    with pytest.raises(Py4JJavaError, match="killed"):
        project.sql(f"INSERT INTO {SCHEMA}.event_tiles {broken}")
    assert project.commits("event_tiles") == before
    assert project.added()
    project.assert_right()
    # what another run had compiled before this one was done
    project.sql(f"INSERT INTO {SCHEMA}.event_tiles {statement}")
    project.assert_right()


def test_where_the_feed_does_not_tell_the_difference_is_added(project: Project) -> None:
    kept = f"SELECT * FROM {SCHEMA}.events WHERE id % 2 = 0 AND version = 1"
    project.sql(f"CREATE OR REPLACE TABLE {SCHEMA}.halved USING DELTA AS {kept}")
    project.sql(f"DROP TABLE {SCHEMA}.events")
    project.sql(f"CREATE TABLE {SCHEMA}.events USING DELTA AS SELECT * FROM {SCHEMA}.halved")
    assert project.added()
    project.assert_right()
    project.sql(f"INSERT INTO {SCHEMA}.events {events(3000, 3010, day='2026-01-03')}")
    rows = project.added()
    assert {str(row["bucket"].date()) for row in rows} == {"2026-01-03"}
    project.assert_right()


def test_no_drift_is_green_and_red(project: Project) -> None:
    project.sql(f"INSERT INTO {SCHEMA}.events {events(10_000, 11_000, day='2026-01-10')}")
    done = project.dbt("build", "--select", "event_tiles", "event_drift")
    told = {r.node.name: (str(r.status), r.failures) for r in done.result.results if r.node.resource_type == "test"}
    assert told == {"sizes": ("pass", 0), "earlier": ("pass", 0), "latest": ("pass", 0)}

    project.sql(f"INSERT INTO {SCHEMA}.events {events(20_000, 21_000, day='2026-01-12', shift=0.5)}")
    done = project.dbt("build", "--select", "event_tiles", "event_drift", "--store-failures")
    told = {r.node.name: (str(r.status), r.failures) for r in done.result.results if r.node.resource_type == "test"}
    assert told["sizes"] == ("pass", 0)
    assert told["earlier"][0] == told["latest"][0] == "fail"
    assert told["latest"][1] == 3, "in all rows, and in both shops"
    [table] = [r.node.relation_name for r in done.result.results if r.node.name == "latest"]
    rows = project.sql(f"SELECT * FROM {table}")
    assert {(row["feature"], row["segment"], row["value"]) for row in rows} == {
        ("amount", "all", None), ("amount", "shop", "north"), ("amount", "shop", "south"),
    }  # fmt: skip
    assert all(row["size"] > 0.1 and row["p"] < 1e-3 and str(row["window_end"].date()) == "2026-01-13" for row in rows)
