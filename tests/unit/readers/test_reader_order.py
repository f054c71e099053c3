"""Shards are a partition, a shuffle is a permutation, and a stream taken up again is the rest of itself."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from hypothesis import given, settings
from hypothesis import strategies as st
from reader_tables import ids, plain_table, random_table

from penstock.readers import Shuffle, TrainingSetReader, open_training_set, stream

WHERES: list[dict[str, Any] | None] = [None, {"split": ["train", "test"]}, {"small": 1, "flag": True}]


@pytest.fixture(scope="module", autouse=True)
def _small_steps() -> Iterator[None]:
    """Row groups of a few rows are decoded in several steps, and a shard has many blocks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stream, "_CELLS_AT_ONCE", 10)
        patch.setattr(stream, "_BLOCK_ROWS", 8)
        yield


@pytest.fixture(scope="module")
def readers(tmp_path_factory: pytest.TempPathFactory) -> list[TrainingSetReader]:
    """Random tables, and the same with random rows marked as deleted, as a deletion vector would."""
    found = []
    for seed in range(4):
        partition_by = ["split"] if seed % 2 else None
        written = random_table(tmp_path_factory.mktemp("t"), seed, partition_by=partition_by, writes=3)
        plain = open_training_set(written.path)
        found += [plain, _with_deleted(plain, seed)]
    return found


def _with_deleted(reader: TrainingSetReader, seed: int) -> TrainingSetReader:
    generator = np.random.default_rng(seed)
    snapshot = reader._snapshot
    files = tuple(
        replace(file, deleted=np.flatnonzero(generator.random(file.footer.num_rows) < generator.random()))
        for file in snapshot.files
    )
    return TrainingSetReader(replace(snapshot, files=files))


@lru_cache
def _live(reader: TrainingSetReader) -> tuple[int, ...]:
    """The ids that are left, from the files as pyarrow reads them whole."""
    found: list[int] = []
    for file in reader._snapshot.files:
        column = pq.read_table(file.path, columns=["id"], partitioning=None)["id"].to_pylist()
        found += [number for position, number in enumerate(column) if position not in set(file.deleted.tolist())]
    return tuple(found)


shuffles = st.none() | st.builds(Shuffle, st.integers(1, 50), st.integers(0, 2**70), st.integers(0, 3))


@settings(max_examples=60, deadline=None)
@given(which=st.integers(0, 7), shuffle=shuffles, shards=st.integers(1, 9), where=st.sampled_from(WHERES))
def test_shards_have_every_row_once(
    readers: list[TrainingSetReader], which: int, shuffle: Shuffle | None, shards: int, where: dict[str, Any] | None
) -> None:
    reader = readers[which]
    whole = ids(reader.batches(["id"], where=where, shuffle=shuffle))
    shares = [
        ids(reader.batches(["id"], where=where, shuffle=shuffle, shard=(n, shards), batch_rows=5))
        for n in range(shards)
    ]
    assert Counter(number for part in shares for number in part) == Counter(whole)
    if where is None:
        assert Counter(whole) == Counter(_live(reader))
        assert reader.rows == len(whole)
        assert max(map(len, shares)) - min(map(len, shares)) <= 1
    if shuffle is None:
        assert [number for part in shares for number in part] == whole


@settings(max_examples=60, deadline=None)
@given(
    which=st.integers(0, 7), shuffle=shuffles, shards=st.integers(1, 3), where=st.sampled_from(WHERES),
    rows=st.integers(1, 30), then=st.integers(1, 30),
)  # fmt: skip
def test_a_stream_taken_up_again_is_the_rest_of_itself(
    readers: list[TrainingSetReader],
    which: int,
    shuffle: Shuffle | None,
    shards: int,
    where: dict[str, Any] | None,
    rows: int,
    then: int,
) -> None:
    asked: dict[str, Any] = {"where": where, "shuffle": shuffle, "shard": (shards - 1, shards)}
    whole = readers[which].batches(["id", "x"], batch_rows=rows, **asked)
    states, batches = [whole.state()], []
    for batch in whole:
        batches.append(batch)
        states.append(whole.state())
    for number, state in enumerate(states):
        said = json.loads(json.dumps(state))
        assert (said["batches"], said["rows"]) == (number, sum(batch.num_rows for batch in batches[:number]))
        rest = readers[which].batches(["id", "x"], batch_rows=rows, **asked, resume=said)
        assert [batch.to_pylist() for batch in rest] == [batch.to_pylist() for batch in batches[number:]]
        assert rest.state() == states[-1]
    # the state counts rows, so the size of a batch, and the columns, may change
    middle = states[len(states) // 2]
    rest = readers[which].batches(["id"], batch_rows=then, **asked, resume=middle)
    assert ids(rest) == ids(iter(batches[len(states) // 2 :]))


def test_an_order_is_the_same_each_time_and_another_for_another_seed(tmp_path: Path) -> None:
    path = plain_table(tmp_path / "t", 400, files=3, row_group=50)

    def order(*shuffle: int) -> tuple[int, ...]:
        return tuple(ids(open_training_set(path).batches(["id"], shuffle=Shuffle(*shuffle))))

    assert order(100, 1, 2) == order(100, 1, 2)
    orders = [order(100, seed, epoch) for seed in range(5) for epoch in range(5)]
    assert len(set(orders)) == 25
    assert all(sorted(found) == list(range(1200)) for found in orders)


def test_an_order_does_not_depend_on_how_the_log_is_kept(tmp_path: Path) -> None:
    path = plain_table(tmp_path / "t", 10, files=6)
    before = ids(open_training_set(path).batches(["id"]))
    DeltaTable(path).create_checkpoint()
    reader = open_training_set(path)
    assert ids(reader.batches(["id"])) == before
    paths = [file.path for file in reader._snapshot.files]
    assert paths == sorted(paths)


def test_a_shuffle_mixes_the_whole_table(tmp_path: Path) -> None:
    """Over many seeds, each row comes as often in the first as in the last half of the order."""
    reader = open_training_set(plain_table(tmp_path / "t", 60, files=2, row_group=10))
    first = Counter[int]()
    seeds = 400
    for seed in range(seeds):
        order = ids(reader.batches(["id"], shuffle=Shuffle(40, seed)))
        first.update(order[:60])
    # a fair coin's count lies within five standard deviations, of ten each
    assert all(abs(first[number] - seeds / 2) < 50 for number in range(120))


def test_rows_of_a_buffer_are_in_random_order(tmp_path: Path) -> None:
    reader = open_training_set(plain_table(tmp_path / "t", 1_000, row_group=1_000))
    order = np.array(ids(reader.batches(["id"], shuffle=Shuffle(250, 3))))
    for start in range(0, 1_000, 250):
        block = order[start : start + 250]
        assert sorted(block) == list(range(start, start + 250))
        assert abs(np.corrcoef(block, np.arange(250))[0, 1]) < 0.25
    assert not np.array_equal(order[:250], order[250:500] - 250)
    first, second = (ids(reader.batches(["id"], shard=(n, 2), shuffle=Shuffle(250, 3))) for n in range(2))
    assert first != [number - 500 for number in second]


def test_the_order_of_a_seed_is_for_good() -> None:
    """States outlive versions of numpy, pyarrow and Penstock, so the order must too."""
    assert Shuffle(10, 1, 2).rows(6, 0).tolist() == [3, 5, 1, 4, 2, 0]
    assert Shuffle(10, 1, 2).rows(6, 10).tolist() == [1, 2, 4, 3, 5, 0]
    assert Shuffle(10, 1, 2).row_groups(6).tolist() == [2, 0, 1, 5, 3, 4]
