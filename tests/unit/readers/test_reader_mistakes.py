"""What is refused, and what is said."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake
from reader_tables import plain_table

from penstock.errors import EnvironmentProblem, InvalidRequestError, UnknownNameError
from penstock.readers import Shuffle, open_training_set


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = plain_table(tmp_path_factory.mktemp("t"), 100, files=2, row_group=30)
    write_deltalake(path, pa.table({"id": [1], "split": ["train"]}), mode="append", schema_mode="merge")
    return path


@pytest.mark.parametrize(
    ("asked", "kind", "what"),
    [
        ({"columns": ["c11"]}, UnknownNameError, "unknown column 'c11'"),
        ({"columns": ["ID"]}, UnknownNameError, "unknown column 'ID'"),
        ({"columns": []}, InvalidRequestError, "no column, or one twice"),
        ({"columns": ["id", "id"]}, InvalidRequestError, "no column, or one twice"),
        ({"columns": "id"}, InvalidRequestError, "not the text 'id'"),
        ({"where": {"splitt": "train"}}, UnknownNameError, "unknown column 'splitt'"),
        ({"where": {"split": None}}, InvalidRequestError, "NULL is none"),
        ({"where": {"split": []}}, InvalidRequestError, "a value or several"),
        ({"where": {"split": 1}}, InvalidRequestError, "1 is no value of a column of string"),
        ({"where": {"id": "train"}}, InvalidRequestError, "'train' is no value of a column of int64"),
        ({"where": {"id": 1.5}}, InvalidRequestError, "1.5 is no value of a column of int64"),
        ({"where": {"id": 2**70}}, InvalidRequestError, "is no value of a column of int64"),
        ({"where": {"c1": 0.5}}, InvalidRequestError, "where compares no double"),
        ({"shard": (2, 2)}, InvalidRequestError, "there is no shard 2 of 2"),
        ({"shard": (0, 0)}, InvalidRequestError, "the number of shards is a whole number from 1 on, not 0"),
        ({"shard": (-1, 2)}, InvalidRequestError, "a shard is a whole number from 0 on, not -1"),
        ({"shard": 3}, InvalidRequestError, "a pair"),
        ({"batch_rows": 0}, InvalidRequestError, "batch_rows is a whole number from 1 on"),
        ({"batch_rows": 1.5}, InvalidRequestError, "batch_rows is a whole number"),
        ({"resume": {"at": 3}}, InvalidRequestError, "what state\\(\\) returned"),
    ],
    ids=str,
)
def test_a_request_without_an_answer(table: Path, asked: dict[str, Any], kind: type, what: str) -> None:
    reader = open_training_set(table)
    with pytest.raises(kind, match=what):
        reader.batches(**asked)


@pytest.mark.parametrize("asked", [{"buffer_rows": 0}, {"buffer_rows": 9, "seed": -1}, {"buffer_rows": True}], ids=str)
def test_a_shuffle_of_nothing(asked: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequestError, match=r"shuffle's .* is a whole number"):
        Shuffle(**asked)


@pytest.mark.parametrize(
    ("other", "named"),
    [
        ({"shard": (1, 3)}, "shard"),
        ({"shuffle": Shuffle(20, 1, 1)}, "shuffle"),
        ({"shuffle": Shuffle(30, 1, 0)}, "shuffle"),
        ({"shuffle": None}, "shuffle"),
        ({"where": {"id": [1, 3]}}, "where"),
        ({"where": None}, "where"),
    ],
    ids=str,
)
def test_a_state_of_another_stream(table: Path, other: dict[str, Any], named: str) -> None:
    asked: dict[str, Any] = {"shard": (1, 2), "shuffle": Shuffle(20, 1, 0), "where": {"id": [1, 2]}}
    state = open_training_set(table).batches(**asked).state()
    with pytest.raises(InvalidRequestError, match=f"the state is of {named} "):
        open_training_set(table).batches(**{**asked, **other}, resume=state)


def test_a_state_of_another_version_or_table(table: Path, tmp_path: Path) -> None:
    state = open_training_set(table, 1).batches().state()
    with pytest.raises(InvalidRequestError, match="the state is of version 1, this stream of version 2") as caught:
        open_training_set(table).batches(resume=state)
    assert "open_training_set takes the version" in caught.value.fix
    with pytest.raises(InvalidRequestError, match="the state is of table"):
        open_training_set(plain_table(tmp_path / "t", 5, files=2)).batches(resume=state)


def test_no_table(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "no", str(tmp_path / "no")):
        with pytest.raises(EnvironmentProblem, match="there is no Delta table here"):
            open_training_set(path)


@pytest.mark.parametrize("version", [-1, 1.0, True, "1"])
def test_no_version(table: Path, version: Any) -> None:
    with pytest.raises(InvalidRequestError, match="a version is a whole number from 0 on"):
        open_training_set(table, version)


def test_a_version_still_to_come(table: Path) -> None:
    with pytest.raises(InvalidRequestError, match="has no version 9") as caught:
        open_training_set(table, 9)
    assert caught.value.fix == "its newest version is 2"


def test_a_version_whose_log_is_gone(tmp_path: Path) -> None:
    path = plain_table(tmp_path / "t", 5, files=4)
    DeltaTable(path).create_checkpoint()
    for version in range(3):
        (path / "_delta_log" / f"{version:020}.json").unlink()
    assert open_training_set(path).rows == 20
    with pytest.raises(EnvironmentProblem, match="version 1 cannot be read any more: its entries in the log are gone"):
        open_training_set(path, 1)


def test_a_version_that_vacuum_took_files_of(tmp_path: Path) -> None:
    path = plain_table(tmp_path / "t", 50, files=2)
    opened = open_training_set(path, 1)
    table = DeltaTable(path)
    table.delete("id < 60")
    reading = open_training_set(path, 1)
    table.vacuum(0, dry_run=False, enforce_retention_duration=False)
    with pytest.raises(
        EnvironmentProblem, match=r"this version cannot be read any more: its file .* is gone"
    ) as caught:
        open_training_set(path, 1)
    assert "version 1" in caught.value.where
    assert "VACUUM" in caught.value.fix
    # opened before, and never short of rows without a word
    for reader in (opened, reading):
        with pytest.raises(EnvironmentProblem, match="this version cannot be read any more"):
            list(reader.batches())
    assert open_training_set(path).rows == 40


def test_a_broken_file(tmp_path: Path) -> None:
    path = plain_table(tmp_path / "t", 50)
    (file,) = path.glob("*.parquet")
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(EnvironmentProblem, match="a file of the table cannot be read"):
        open_training_set(path)


def test_a_column_of_another_type_in_a_file(tmp_path: Path) -> None:
    path = plain_table(tmp_path / "t", 5)
    (file,) = path.glob("*.parquet")
    table = pq.read_table(file)
    pq.write_table(table.set_column(1, "c1", pa.array(["no number"] * 5)), file)
    reader = open_training_set(path)
    assert reader.to_arrow(["id"]).num_rows == 5
    with pytest.raises(InvalidRequestError, match="column 'c1' cannot be read as double"):
        reader.to_arrow()


def test_a_table_that_needs_more_of_a_reader(tmp_path: Path) -> None:
    path = plain_table(tmp_path / "t", 5)
    log = path / "_delta_log" / f"{1:020}.json"
    log.write_text(
        '{"protocol": {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": ["variantType"], '
        '"writerFeatures": ["variantType"]}}\n'
    )
    assert open_training_set(path, 0).rows == 5
    with pytest.raises(InvalidRequestError, match="needs a reader with variantType"):
        open_training_set(path)


@pytest.mark.parametrize(("module", "what"), [("deltalake", "needs deltalake"), ("polars", "Polars is not installed")])
def test_a_library_that_is_missing(table: Path, monkeypatch: pytest.MonkeyPatch, module: str, what: str) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(EnvironmentProblem, match=what) as caught:
        open_training_set(table).to_polars()
    assert caught.value.fix == "pip install 'penstock[readers]'"


def test_torch_that_is_missing(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "penstock.readers.torch_dataset", raising=False)
    with pytest.raises(EnvironmentProblem, match="torch is not installed"):
        open_training_set(table).to_torch()
