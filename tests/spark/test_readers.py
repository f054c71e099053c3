"""Tables that Spark writes, read without it: the rows are those that Spark reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from penstock.engines.spark import run
from penstock.errors import InvalidRequestError
from penstock.project import Project
from penstock.readers import Shuffle, open_training_set

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ROWS = """SELECT id, CAST(id % 7 AS TINYINT) AS tiny, CAST(id AS INT) AS whole, IF(id % 5 = 0, NULL, id / 3) AS x,
    CAST(id AS FLOAT) AS single, CAST(id % 7 AS DECIMAL(38, 3)) AS price, IF(id % 4 = 1, NULL, CONCAT('é', id)) AS name,
    TIMESTAMP_SECONDS(id * 1000003) AS at, CAST(TIMESTAMP_SECONDS(-id) AS TIMESTAMP_NTZ) AS local,
    DATE_ADD(DATE'1960-01-01', CAST(id AS INT)) AS day, id % 3 = 0 AS flag, UNHEX('00FF') AS raw,
    ARRAY(id, NULL) AS numbers, MAP('k', id) AS pairs, id % 4 AS part
    FROM RANGE(0, 1000, 1, 2)"""
STRUCT = "NAMED_STRUCT('a', id, 'b', NAMED_STRUCT('c', TIMESTAMP'0001-01-01')) AS nested"
DELETED = "'delta.enableDeletionVectors' = 'true'"

# For each table, the statements that make it; {t} is its name.
TABLES = {
    "plain": [f"CREATE TABLE {{t}} USING DELTA AS SELECT *, {STRUCT} FROM ({ROWS})"],
    "deletion_vectors": [
        f"CREATE TABLE {{t}} USING DELTA PARTITIONED BY (part) TBLPROPERTIES ({DELETED}) AS {ROWS}",
        "DELETE FROM {t} WHERE id % 10 = 3",
        "UPDATE {t} SET whole = -whole WHERE id % 10 = 4",
        "DELETE FROM {t} WHERE id BETWEEN 500 AND 700 OR id IN (0, 999)",
    ],
    "mapped_by_name": [
        f"CREATE TABLE {{t}} USING DELTA PARTITIONED BY (part) AS {ROWS} WHERE id < 20",
        f"ALTER TABLE {{t}} SET TBLPROPERTIES ('delta.columnMapping.mode' = 'name', {DELETED})",
        "ALTER TABLE {t} RENAME COLUMN whole TO `whole, a.b`",
        "ALTER TABLE {t} RENAME COLUMN x TO whole",
        "ALTER TABLE {t} RENAME COLUMN part TO of_what",
        "ALTER TABLE {t} DROP COLUMN tiny",
        "ALTER TABLE {t} ADD COLUMN tiny STRING",
        "INSERT INTO {t} BY NAME SELECT * EXCEPT (id, tiny), id + 100 AS id, 'new' AS tiny FROM {t} WHERE id > 5",
        "DELETE FROM {t} WHERE id % 4 = 1",
    ],
    "mapped_by_id": [
        f"CREATE TABLE {{t}} USING DELTA TBLPROPERTIES ('delta.columnMapping.mode' = 'id') AS {ROWS}",
        "ALTER TABLE {t} RENAME COLUMN whole TO price_before",
        "ALTER TABLE {t} RENAME COLUMN price TO whole",
    ],
    "ends_of_time": [
        "CREATE TABLE {t} USING DELTA AS SELECT 1 AS id, TIMESTAMP'0001-01-01 00:00:00.000001' AS at, "
        "TIMESTAMP_NTZ'0001-01-01 00:00:00' AS local, DATE'0001-01-01' AS day "
        "UNION ALL SELECT 2, TIMESTAMP'9999-12-31 23:59:59.999999', TIMESTAMP_NTZ'9999-12-31 23:59:59.999999', "
        "DATE'9999-12-31'"
    ],
    "checkpoints": [
        "CREATE TABLE {t} (id BIGINT, s STRING, v VARCHAR(9)) USING DELTA TBLPROPERTIES ('delta.checkpointPolicy' "
        "= 'v2', 'delta.checkpointInterval' = '2', 'delta.feature.vacuumProtocolCheck' = 'supported')",
        *(f"INSERT INTO {{t}} VALUES ({number}, 'ab', NULL)" for number in range(5)),
    ],
    "tidied": [
        f"CREATE TABLE {{t}} USING DELTA CLUSTER BY (day) TBLPROPERTIES ({DELETED}) AS {ROWS}",
        "DELETE FROM {t} WHERE flag",
        "OPTIMIZE {t}",
        "DELETE FROM {t} WHERE id < 50",
    ],
}


@pytest.fixture(scope="module")
def tables(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("delta tables é")
    for name, statements in TABLES.items():
        for statement in statements:
            spark.sql(statement.format(t=f"delta.`{folder / name}`"))
    return folder


def by_id(table: pa.Table) -> dict[int, dict[str, Any]]:
    rows = {row["id"]: row for row in table.to_pylist()}
    assert len(rows) == table.num_rows
    return rows


@pytest.mark.parametrize("name", TABLES)
def test_every_version_is_what_spark_reads(spark: SparkSession, tables: Path, name: str) -> None:
    newest = open_training_set(tables / name).version
    assert newest >= len(TABLES[name]) - 1
    for version in range(newest + 1):
        reader = open_training_set(tables / name, version)
        expected = run(spark, f"SELECT * FROM delta.`{tables / name}` VERSION AS OF {version}")
        found = reader.to_arrow()
        assert found.schema.names == expected.schema.names
        assert by_id(found) == by_id(expected)
        assert reader.rows == expected.num_rows


def test_a_shallow_clone(spark: SparkSession, tables: Path) -> None:
    clone = tables / "clone"
    spark.sql(f"CREATE TABLE default.cloned SHALLOW CLONE delta.`{tables / 'deletion_vectors'}` LOCATION '{clone}'")
    spark.sql(
        "INSERT INTO default.cloned BY NAME SELECT * EXCEPT (id), id + 5000 AS id FROM default.cloned WHERE id < 9"
    )
    spark.sql("DELETE FROM default.cloned WHERE id % 7 = 1")
    assert by_id(open_training_set(clone).to_arrow()) == by_id(run(spark, "SELECT * FROM default.cloned"))


@pytest.mark.parametrize("shuffle", [None, Shuffle(70, 5, 2)], ids=str)
def test_streams_over_deletion_vectors(tables: Path, shuffle: Shuffle | None) -> None:
    reader = open_training_set(tables / "deletion_vectors")
    where = {"flag": True, "part": [0, 2]}
    seen: list[dict[str, Any]] = []
    for shard in range(3):
        asked: dict[str, Any] = {"where": where, "shard": (shard, 3), "shuffle": shuffle, "batch_rows": 11}
        stream = reader.batches(**asked)
        seen += next(stream).to_pylist()
        state = json.loads(json.dumps(stream.state()))
        seen += [row for batch in reader.batches(**asked, resume=state) for row in batch.to_pylist()]
    expected = [row for row in reader.to_arrow().to_pylist() if row["flag"] and row["part"] in (0, 2)]
    assert sorted(seen, key=lambda row: row["id"]) == sorted(expected, key=lambda row: row["id"])


def test_what_is_refused(spark: SparkSession, tables: Path) -> None:
    wide, mapped = tables / "widened", tables / "mapped struct"
    widening = "TBLPROPERTIES ('delta.enableTypeWidening' = 'true')"
    spark.sql(f"CREATE TABLE delta.`{wide}` USING DELTA {widening} AS SELECT 1 AS x")
    spark.sql(f"ALTER TABLE delta.`{wide}` ALTER COLUMN x TYPE BIGINT")
    with pytest.raises(InvalidRequestError, match="needs a reader with typeWidening"):
        open_training_set(wide)
    spark.sql(
        f"CREATE TABLE delta.`{mapped}` USING DELTA TBLPROPERTIES ('delta.columnMapping.mode' = 'name') "
        "AS SELECT 1 AS id, NAMED_STRUCT('a', 1) AS s, ARRAY(NAMED_STRUCT('a', 1)) AS l, 'ab' AS c"
    )
    spark.sql(f"ALTER TABLE delta.`{mapped}` ADD COLUMN padded CHAR(5)")
    reader = open_training_set(mapped)
    for column, why in (("s", "column mapping"), ("l", "column mapping"), ("padded", "it is a CHAR")):
        with pytest.raises(InvalidRequestError, match=f"column '{column}' cannot be read without Spark: .*{why}"):
            reader.batches(["id", column])
        with pytest.raises(InvalidRequestError, match=f"column '{column}' cannot be read without Spark"):
            reader.batches(["id"], where={column: "x"})
    assert reader.to_arrow(["id"]).to_pylist() == [{"id": 1}]


def test_a_managed_table_by_name(spark: SparkSession, project_folder: Path) -> None:
    spark.sql("CREATE OR REPLACE TABLE default.Named_For_Readers USING DELTA AS SELECT 7 AS x")
    reader = Project(project_folder).read_training_set("default.named_for_readers")
    assert reader.to_arrow().to_pylist() == [{"x": 7}]
