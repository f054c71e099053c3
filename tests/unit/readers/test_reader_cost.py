"""What a reader does not read, and what it does not hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import WriterProperties, write_deltalake
from reader_tables import ids, plain_table

from penstock.readers import Shuffle, TrainingSetReader, open_training_set

_IO = Path("/proc/self/io")


@pytest.fixture
def read_bytes() -> Callable[[], int]:
    if not _IO.exists():
        pytest.skip("only Linux counts what a process reads")
    return lambda: int(_IO.read_text().split()[1])


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> TrainingSetReader:
    """Twenty columns of 8 bytes, 40,000 rows in 8 row groups: 6.4 MB."""
    return open_training_set(plain_table(tmp_path_factory.mktemp("t"), 20_000, files=2, row_group=5_000, columns=20))


def _cost(read_bytes: Callable[[], int], stream: Callable[[], Iterator[Any]]) -> int:
    before = read_bytes()
    for _ in stream():
        pass
    return read_bytes() - before


def test_only_the_columns_asked_for_are_read(reader: TrainingSetReader, read_bytes: Callable[[], int]) -> None:
    all_of_it = _cost(read_bytes, reader.batches)
    assert all_of_it > 6_000_000
    assert _cost(read_bytes, lambda: reader.batches(["c7"])) < all_of_it / 15
    assert _cost(read_bytes, lambda: reader.batches(["c7"], where={"id": [1, 39_999]})) < all_of_it / 7


def test_row_groups_without_a_wanted_row_are_not_read(reader: TrainingSetReader, read_bytes: Callable[[], int]) -> None:
    all_of_it = _cost(read_bytes, reader.batches)
    assert _cost(read_bytes, lambda: reader.batches(where={"id": 12_345})) < all_of_it / 6
    assert _cost(read_bytes, lambda: reader.batches(where={"id": [-5, 40_000]})) < 10_000


def test_partitions_that_are_not_wanted_are_not_read(tmp_path: Path, read_bytes: Callable[[], int]) -> None:
    table = pa.table({"id": range(10_000), "split": ["train" if n % 10 else "test" for n in range(10_000)]})
    write_deltalake(tmp_path / "t", table, partition_by=["split"], writer_properties=WriterProperties())
    reader = open_training_set(tmp_path / "t")
    all_of_it = _cost(read_bytes, reader.batches)
    assert _cost(read_bytes, lambda: reader.batches(where={"split": "test"})) < all_of_it / 5


@pytest.mark.parametrize("shuffle", [None, Shuffle(2_500, 1)], ids=str)
def test_a_shard_and_a_resumed_stream_read_their_part(
    reader: TrainingSetReader, read_bytes: Callable[[], int], shuffle: Shuffle | None
) -> None:
    all_of_it = _cost(read_bytes, lambda: reader.batches(shuffle=shuffle))
    assert _cost(read_bytes, lambda: reader.batches(shard=(3, 8), shuffle=shuffle)) < all_of_it / 6
    stream = reader.batches(batch_rows=1_000, shuffle=shuffle)
    for _ in range(33):
        next(stream)
    state = stream.state()
    del stream
    # 7 of 40 thousand rows are left, in two of the eight row groups
    assert _cost(read_bytes, lambda: reader.batches(resume=state, shuffle=shuffle)) < all_of_it * 2.3 / 8


def test_a_share_of_a_row_group_is_not_read_to_its_end(tmp_path: Path, read_bytes: Callable[[], int]) -> None:
    reader = open_training_set(plain_table(tmp_path / "t", 400_000, row_group=400_000, columns=3))
    all_of_it = _cost(read_bytes, reader.batches)
    assert _cost(read_bytes, lambda: reader.batches(shard=(0, 8))) < all_of_it * 0.8


@pytest.mark.parametrize(
    "asked", [{}, {"shuffle": Shuffle(10_000, 1)}, {"where": {"id": list(range(0, 400_000, 3))}}], ids=list
)
def test_memory_does_not_grow_with_the_table(tmp_path: Path, asked: dict[str, Any]) -> None:
    """Four times the rows, in files and in one row group, are read in the same memory."""
    peaks = []
    for name, rows, files in (("small", 100_000, 1), ("long", 400_000, 1), ("many", 100_000, 4)):
        path = plain_table(tmp_path / name, rows, files=files, row_group=rows, columns=8)
        pool = pa.default_memory_pool()
        stream = open_training_set(path).batches(batch_rows=1_000, **asked)
        before, peak, seen = pool.bytes_allocated(), 0, 0
        for batch in stream:
            seen += batch.num_rows
            peak = max(peak, pool.bytes_allocated() - before)
        assert seen == rows * files or asked.get("where")
        peaks.append(peak)
        del stream, batch
    assert max(peaks) < 1.3 * peaks[0] + 1_000_000, peaks


def test_ids_of_a_shard_come_from_few_row_groups(reader: TrainingSetReader) -> None:
    groups = {number // 5_000 for number in ids(reader.batches(["id"], shard=(1, 4), shuffle=Shuffle(9_999, 5)))}
    assert len(groups) <= 3
