"""What models of edges and tiles ask for, by what the warehouse says: no JVM starts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from dbt_common.exceptions import DbtRuntimeError

from dbt_penstock import tiled
from penstock.errors import InvalidRequestError, UnknownNameError

ASKED = {"time": "at", "bucket": "day", "version": None, "segments": ["shop"]}
SOURCE = "id-1: day of at, by shop"


@dataclass(frozen=True)
class Relation:
    name: str
    limit: int | None = None

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Column:
    name: str
    dtype: str


@dataclass(frozen=True)
class Answer:
    rows: list[Any]
    column_names: list[str] = field(default_factory=list)


@dataclass
class Warehouse:
    """What is asked, and what is said of a table at a version, with the tiles of an earlier run."""

    version: int = 7
    held: dict[str, Any] = field(default_factory=lambda: {"run": 2, "source": SOURCE, "version": 5})
    changes: int | None = 3
    provider: str = "delta"
    edges_id: str = "abc-1"

    def __call__(self, sql: str) -> Answer:
        if sql.startswith("DESCRIBE TABLE"):
            return Answer([("Provider", self.provider)])
        if sql.startswith("DESCRIBE DETAIL"):
            assert "`raw`.`history`" in sql
            return Answer([{"id": "id-1"}])
        if sql.startswith("DESCRIBE HISTORY"):
            return Answer([{"version": self.version}])
        if "TABLE_CHANGES" in sql:
            if self.changes is None:
                raise DbtRuntimeError("there is no feed")
            return Answer([{"n": self.changes}])
        if "MAX_BY" in sql:
            return Answer([self.held])
        if "MAX(edges_id)" in sql:
            return Answer([{"edges_id": self.edges_id}])
        levels = [("amount", "number", 5, "[]"), ("shop", "text", 3, '["north","12"]')]
        names = ("edges_id", "feature", "kind", "bins", "levels")
        return Answer([dict(zip(names, (self.edges_id, *row), strict=True)) for row in levels])


def added(warehouse: Warehouse, built: str | None = "tiles_now", **asked: Any) -> str:
    return tiled.tiles_sql(Relation("raw.history"), Relation("bins"), {**ASKED, **asked}, built, warehouse)


def test_a_first_run_counts_a_version_whole() -> None:
    sql = added(Warehouse(), built=None)
    assert "raw.history VERSION AS OF 7" in sql
    assert f"'{SOURCE}'" in sql
    assert "CASE CAST(`shop` AS STRING) WHEN 'north' THEN 1.0e0 WHEN '12' THEN 2.0e0 END" in " ".join(sql.split())


def test_a_later_run_reads_what_changed() -> None:
    sql = " ".join(added(Warehouse()).split())
    assert "TABLE_CHANGES('raw.history', 6, 7)" in sql
    assert "VERSION AS OF" not in sql
    assert "CAST(3 AS BIGINT) AS run" in sql
    assert sql.endswith("WHERE ( SELECT COALESCE(MAX(run), 0) FROM tiles_now WHERE edges_id = 'abc-1' ) = 2")


@pytest.mark.parametrize("warehouse", [Warehouse(version=5), Warehouse(changes=0)])
def test_where_nothing_is_new_nothing_is_read(warehouse: Warehouse) -> None:
    assert added(warehouse) == "SELECT * FROM tiles_now WHERE FALSE"


@pytest.mark.parametrize(
    ("warehouse", "asked"),
    [
        (Warehouse(changes=None), {}),  # no feed
        (Warehouse(version=3), {}),  # an older state is back
        (Warehouse(held={"run": 2, "source": "id-0: day of at, by shop", "version": 5}), {}),  # another table
        (Warehouse(), {"segments": ["shop", "vip"]}),
        (Warehouse(), {"bucket": "week"}),
        (Warehouse(provider="parquet"), {}),
    ],
)
def test_else_the_difference_to_what_is_stored_is_added(warehouse: Warehouse, asked: dict[str, Any]) -> None:
    sql = added(warehouse, **asked)
    assert "TABLE_CHANGES" not in sql
    assert "SUM(sign * n)" in sql
    assert ("VERSION AS OF" in sql) == (warehouse.provider == "delta")


def test_tiles_of_new_edges_are_counted_whole() -> None:
    sql = added(Warehouse(held={"run": None, "source": None, "version": None}))
    assert "SUM(sign" not in sql
    assert "CAST(1 AS BIGINT) AS run" in " ".join(sql.split())


COLUMNS = [
    Column("amount", "double"),
    Column("price", "decimal(10,2)"),
    Column("shop", "string"),
    Column("at", "timestamp"),
]


def edges(warehouse: Warehouse, built: str | None = None, **more: Any) -> str:
    asked = {"features": None, "leave_out": [], "bins": 20, "values": 100, "levels": 50, **more}
    return tiled.edges_sql(Relation("raw.history"), COLUMNS, asked, built, warehouse)


def test_edges_of_all_numbers_and_texts_are_kept_until_others_are_asked_for() -> None:
    warehouse = Warehouse()
    sql = edges(warehouse)
    assert "'number amount', 'number price', 'text shop'" in " ".join(sql.split())
    [warehouse.edges_id] = {part for part in sql.split("'") if part.endswith("-7") and len(part) == 18}
    warehouse.version = 8
    assert edges(warehouse, "bins") == "SELECT * FROM bins"
    assert edges(warehouse, "bins", leave_out=["SHOP"]).startswith("WITH")
    assert edges(warehouse, "bins", bins=10).startswith("WITH")


def test_edges_that_cannot_be_chosen() -> None:
    with pytest.raises(InvalidRequestError, match="neither a number nor a text"):
        edges(Warehouse(), features=["at"])
    with pytest.raises(UnknownNameError, match="amonut"):
        edges(Warehouse(), features=["amonut"])
    with pytest.raises(InvalidRequestError, match="no Delta table"):
        edges(Warehouse(provider="parquet"))


def test_a_window_is_whole_buckets() -> None:
    assert [tiled._buckets(*each) for each in (("7 days", "day"), ("1 week", "day"), ("2 months", "month"))] == [
        7,
        7,
        2,
    ]
    with pytest.raises(InvalidRequestError, match="no whole number"):
        tiled._buckets("36 hours", "day")


def test_a_root_cause_is_of_the_newest_edges_and_of_versions_where_there_are_any() -> None:
    def asked(columns: list[str], **more: Any) -> str:
        def run_query(sql: str) -> Answer:
            return Answer([{"edges_id": "abc-2"}], columns)

        given = {"shape": "split", "since": None, "until": None} | more
        return " ".join(tiled.root_cause_sql("seen", "edges", given, run_query).split())

    sql = asked(["bucket", "version"], since="2026-01-01", until="2026-02-01 12:00")
    assert "edges_id = 'abc-2'" in sql
    assert "`version`" in sql
    assert "bucket >= CAST('2026-01-01 00:00:00' AS TIMESTAMP)" in sql
    assert "bucket < CAST('2026-02-01 12:00:00' AS TIMESTAMP)" in sql
    assert "version" not in asked(["bucket"])
    with pytest.raises(UnknownNameError, match="unknown shape 'windw'"):
        asked([], shape="windw")
    with pytest.raises(InvalidRequestError, match="no date or moment"):
        asked([], since="monday")
