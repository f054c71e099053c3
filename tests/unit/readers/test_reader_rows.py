"""What a reader gives is what was written: each version, each type, however it is asked for."""

from __future__ import annotations

import math
import pickle
import subprocess
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from deltalake import DeltaTable, QueryBuilder, write_deltalake
from reader_tables import SCHEMA, by_id, ids, plain_table, random_table

from penstock.readers import open_training_set


@pytest.mark.parametrize("partition_by", [None, ["split"], ["day", "small"]], ids=str)
@pytest.mark.parametrize("seed", range(6))
def test_every_version_has_its_rows(tmp_path: Path, seed: int, partition_by: list[str] | None) -> None:
    written = random_table(tmp_path / "a table é", seed, partition_by=partition_by)
    for version, rows in enumerate(written.versions):
        reader = open_training_set(written.path, version)
        assert (reader.version, reader.rows) == (version, len(rows))
        found = reader.to_arrow()
        assert found.schema == reader.schema
        assert {field.name: field.type for field in reader.schema} == {field.name: field.type for field in SCHEMA}
        # a partition column does not tell an empty text from NULL
        expected = {n: {**r, "split": r["split"] or None} if partition_by == ["split"] else r for n, r in rows.items()}
        assert by_id(found) == expected
    assert open_training_set(written.path).version == len(written.versions) - 1


def test_what_is_written_later_is_not_seen(tmp_path: Path) -> None:
    written = random_table(tmp_path / "t", 1)
    reader = open_training_set(written.path)
    DeltaTable(written.path).delete("id % 2 = 0")
    assert by_id(reader.to_arrow()) == written.versions[-1]


def test_pandas_and_polars_are_the_arrow_table(tmp_path: Path) -> None:
    reader = open_training_set(random_table(tmp_path / "t", 2).path)
    table = reader.to_arrow()
    assert reader.to_pandas().equals(table.to_pandas())
    assert reader.to_polars().equals(pl.DataFrame(table.to_pandas(), schema=pl.from_arrow(table.slice(0, 0)).schema))
    assert reader.to_polars(["x", "id"], where={"split": "train"}).columns == ["x", "id"]


@pytest.mark.parametrize(
    ("where", "predicate"),
    [
        ({"split": "train"}, "split = 'train'"),
        ({"split": ["train", "test"]}, "split IN ('train', 'test')"),
        ({"split": "é / % ="}, "split = 'é / % ='"),
        ({"split": "no such"}, "split = 'no such'"),
        ({"split": {"train"}, "small": (0, 1)}, "split = 'train' AND small IN (0, 1)"),
        ({"flag": True}, "flag"),
        ({"id": [3, 17, 10**12]}, "id IN (3, 17)"),
    ],
    ids=str,
)
@pytest.mark.parametrize("partition_by", [None, ["split"], ["flag", "small"]], ids=str)
def test_where(tmp_path: Path, where: dict[str, Any], predicate: str, partition_by: list[str] | None) -> None:
    path = random_table(tmp_path / "t", 3, partition_by=partition_by, writes=8).path
    reader = open_training_set(path)
    asked = pa.table(QueryBuilder().register("t", DeltaTable(path)).execute(f"SELECT id FROM t WHERE {predicate}"))
    assert sorted(ids(reader.batches(["id"], where=where, batch_rows=7))) == sorted(asked["id"].to_pylist())
    assert reader.to_arrow(["x"], where=where).num_rows == asked.num_rows


def test_where_compares_values_of_every_kind(tmp_path: Path) -> None:
    rows = random_table(tmp_path / "t", 4).versions[-1].values()
    reader = open_training_set(tmp_path / "t")
    for row in rows:
        for name in ("price", "at", "local", "day", "raw", "small"):
            if row[name] is not None:
                expected = sorted(other["id"] for other in rows if other[name] == row[name])
                assert sorted(ids(reader.batches(["id"], where={name: row[name]}))) == expected


def test_columns_come_as_asked(tmp_path: Path) -> None:
    path = random_table(tmp_path / "t", 5, partition_by=["split"]).path
    whole = open_training_set(path).to_arrow()
    for columns in (["x", "id"], ["split"], ["id", "split", "tags"], list(reversed(SCHEMA.names))):
        found = open_training_set(path).to_arrow(columns)
        assert found.equals(whole.select(columns))


def test_a_column_added_later_is_null_before(tmp_path: Path) -> None:
    path = tmp_path / "t"
    write_deltalake(path, pa.table({"id": [1, 2]}))
    write_deltalake(path, pa.table({"id": [3], "more": ["x"]}), mode="append", schema_mode="merge")
    reader = open_training_set(path)
    assert by_id(reader.to_arrow()) == {n: {"id": n, "more": "x" if n == 3 else None} for n in (1, 2, 3)}
    assert sorted(reader.to_arrow(["more"])["more"].to_pylist(), key=str) == [None, None, "x"]
    assert reader.to_arrow(["id"], where={"more": "x"})["id"].to_pylist() == [3]


def test_partitions_of_every_kind(tmp_path: Path) -> None:
    values: dict[str, Any] = {
        "s": "a b/c=%é:?#", "i": -5, "d": Decimal("1.50"), "b": True, "day": date(1969, 12, 31),
        "at": datetime(1999, 12, 31, 23, 59, 59, 999999, UTC), "f": math.pi,
    }  # fmt: skip
    rows = [{"id": 1, **values}, {"id": 2, **dict.fromkeys(values)}]
    types = {"d": pa.decimal128(10, 2), "at": pa.timestamp("us", "UTC"), "b": pa.bool_(), "day": pa.date32()}
    types |= {"s": pa.string(), "i": pa.int64(), "f": pa.float64(), "id": pa.int64()}
    schema = pa.schema([(name, types[name]) for name in rows[0]])
    write_deltalake(tmp_path / "t", pa.Table.from_pylist(rows, schema), partition_by=list(values))
    reader = open_training_set(tmp_path / "t")
    assert by_id(reader.to_arrow()) == {1: rows[0], 2: rows[1]}
    assert reader.to_arrow(["d"]).num_rows == 2


def test_an_empty_table(tmp_path: Path) -> None:
    write_deltalake(tmp_path / "t", pa.table({"id": pa.array([], pa.int64())}))
    reader = open_training_set(tmp_path / "t")
    assert (reader.rows, list(reader.batches()), reader.to_arrow().num_rows) == (0, [], 0)
    assert reader.to_arrow().schema == reader.schema
    assert reader.to_pandas().columns.tolist() == ["id"]


def test_batches_have_one_size(tmp_path: Path) -> None:
    reader = open_training_set(plain_table(tmp_path / "t", 50, files=3, row_group=7))
    for rows in (1, 7, 64, 150, 151):
        sizes = [batch.num_rows for batch in reader.batches(batch_rows=rows)]
        assert sizes == [rows] * (150 // rows) + [150 % rows] * (150 % rows > 0)


def test_properties(tmp_path: Path) -> None:
    write_deltalake(tmp_path / "t", pa.table({"id": [1]}), configuration={"delta.appendOnly": "true"})
    assert open_training_set(tmp_path / "t").properties == {"delta.appendOnly": "true"}


def test_a_reader_travels_to_other_processes(tmp_path: Path) -> None:
    reader = open_training_set(random_table(tmp_path / "t", 6).path)
    assert pickle.loads(pickle.dumps(reader)).to_arrow().equals(reader.to_arrow())


def test_neither_spark_nor_dbt_is_loaded(tmp_path: Path) -> None:
    path = plain_table(tmp_path / "t", 10)
    code = (
        "import sys; from penstock.readers import open_training_set; "
        f"assert open_training_set({str(path)!r}).to_pandas().shape == (10, 4); "
        "print([name for name in ('pyspark', 'dbt', 'py4j', 'polars', 'torch') if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "[]"
