"""Training sets as torch reads them: in workers, by ranks, left and taken up again. `make check-clients` runs it."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import WriterProperties, write_deltalake

torch = pytest.importorskip("torch", reason="torch is not in the lock: `make check-clients` installs it")

from torch.utils.data import DataLoader  # noqa: E402
from torchdata.stateful_dataloader import StatefulDataLoader  # noqa: E402

from penstock.errors import InvalidRequestError, UnknownNameError  # noqa: E402
from penstock.readers import Shuffle, open_training_set  # noqa: E402

ROWS = 1_000


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("t")
    split = ["train" if n % 5 else "test" for n in range(ROWS)]
    rows = {"id": range(ROWS), "x": [n / 7 if n % 3 else None for n in range(ROWS)], "split": split}
    write_deltalake(path, pa.table(rows), writer_properties=WriterProperties(max_row_group_size=64))
    return path


def ids(batches: Any) -> list[int]:
    return [number for batch in batches for number in batch["id"].tolist()]


def test_tensors_hold_the_values(tmp_path: Path) -> None:
    day, moment = date(1969, 12, 31), datetime(1969, 12, 31, 23, 59, 59, 999_999, UTC)
    types = {
        "id": pa.int64(), "small": pa.int16(), "x": pa.float64(), "single": pa.float32(), "flag": pa.bool_(),
        "price": pa.decimal128(10, 2), "day": pa.date32(), "at": pa.timestamp("us", "UTC"),
    }  # fmt: skip
    first = {"id": 1, "small": -7, "x": 0.1, "single": 0.5, "flag": True, "price": Decimal("1.25"), "day": day}
    second = {**first, "id": 2, "x": None, "single": None, "flag": False, "price": None}
    rows = [{**first, "at": moment}, {**second, "at": moment}]
    write_deltalake(tmp_path, pa.Table.from_pylist(rows, pa.schema(list(types.items()))))
    (batch,) = open_training_set(tmp_path).to_torch()
    assert {name: tensor.dtype for name, tensor in batch.items()} == {
        "id": torch.int64, "small": torch.int16, "x": torch.float64, "single": torch.float32, "flag": torch.bool,
        "price": torch.float64, "day": torch.int32, "at": torch.int64,
    }  # fmt: skip
    assert {name: tensor[0].item() for name, tensor in batch.items()} == {
        "id": 1, "small": -7, "x": 0.1, "single": 0.5, "flag": True, "price": 1.25, "day": -1, "at": -1,
    }  # fmt: skip
    assert batch["flag"].tolist() == [True, False]
    assert all(batch[name][1].isnan() for name in ("x", "single", "price"))
    batch["x"].mul_(2)  # it may be written to


@pytest.mark.parametrize("workers", [0, 1, 3])
@pytest.mark.parametrize("shuffle", [None, Shuffle(100, 7)], ids=str)
def test_workers_and_ranks_read_every_row_once(table: Path, workers: int, shuffle: Shuffle | None) -> None:
    reader = open_training_set(table)
    found: list[int] = []
    for rank in range(2):
        dataset = reader.to_torch(["id"], shard=(rank, 2), shuffle=shuffle, batch_rows=50)
        found += ids(DataLoader(dataset, batch_size=None, num_workers=workers))
    assert sorted(found) == list(range(ROWS))
    assert (found == list(range(ROWS))) == (shuffle is None and workers < 2)


def test_workers_that_are_spawned(table: Path) -> None:
    dataset = open_training_set(table).to_torch(["id"], where={"split": "train"}, batch_rows=50)
    loader = DataLoader(dataset, batch_size=None, num_workers=2, multiprocessing_context="spawn")
    assert sorted(ids(loader)) == [n for n in range(ROWS) if n % 5]


def test_an_epoch_has_an_order_of_its_own(table: Path) -> None:
    dataset = open_training_set(table).to_torch(["id"], shuffle=Shuffle(1_000, 7), batch_rows=100)
    loader = DataLoader(dataset, batch_size=None, num_workers=2)
    first, again = ids(loader), ids(loader)
    dataset.set_epoch(1)
    assert first == again
    assert ids(loader) != first
    assert sorted(ids(loader)) == sorted(first)


@pytest.mark.parametrize("left_after", [0, 1, 7, 20])
def test_a_dataset_goes_on_from_its_state(table: Path, left_after: int) -> None:
    def dataset() -> Any:
        return open_training_set(table).to_torch(["id", "x"], shuffle=Shuffle(130, 3), batch_rows=50)

    left = dataset()
    batches = iter(left)
    before = ids(next(batches) for _ in range(left_after))
    state = json.loads(json.dumps(left.state_dict()))
    again = dataset()
    again.load_state_dict(state)
    assert again.state_dict() == state
    assert before + ids(again) == ids(dataset())
    assert ids(again) == ids(dataset())  # the next pass is whole


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("left_after", [1, 6, 13])
def test_torchdata_goes_on_in_every_worker(table: Path, workers: int, left_after: int) -> None:
    def loader() -> Any:
        dataset = open_training_set(table).to_torch(["id"], shuffle=Shuffle(130, 3), batch_rows=50)
        return StatefulDataLoader(dataset, batch_size=None, num_workers=workers)

    left = loader()
    batches = iter(left)
    before = ids(next(batches) for _ in range(left_after))
    state = left.state_dict()
    again = loader()
    again.load_state_dict(state)
    rest = ids(again)
    assert before + rest == ids(loader())
    assert sorted(before + rest) == list(range(ROWS))


def _rank(rank: int, table: Path, folder: Path) -> None:
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    dataset = open_training_set(table).to_torch(["id"])
    for how in ("fork", "spawn"):
        loader = DataLoader(dataset, batch_size=None, num_workers=2, multiprocessing_context=how)
        (folder / f"{how} {rank}").write_text(json.dumps(ids(loader)))
    torch.distributed.destroy_process_group()


def test_ranks_are_those_of_torch_distributed(table: Path, tmp_path: Path) -> None:
    torch.multiprocessing.spawn(_rank, (table, tmp_path), nprocs=2)
    for how in ("fork", "spawn"):
        shares = [json.loads((tmp_path / f"{how} {rank}").read_text()) for rank in range(2)]
        assert [len(share) for share in shares] == [ROWS // 2] * 2
        assert sorted(shares[0] + shares[1]) == list(range(ROWS))


def test_the_example_of_the_docs(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "readers.md").read_text()
    (code,) = [block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "to_torch" in block]
    rows = {"delay": [12, -3, 40, 0], "distance": [1400, 200, 950, 1100], "split": ["train", "test", "train", "train"]}
    write_deltalake(tmp_path, pa.table(rows))
    seen: list[tuple[int, int]] = []

    def step(distance: Any, delay: Any) -> None:
        seen.extend(zip(distance.tolist(), delay.tolist(), strict=True))

    names = {"training": open_training_set(tmp_path), "Shuffle": Shuffle, "DataLoader": DataLoader, "step": step}
    exec(code, names)
    assert sorted(seen) == sorted([(1400, 12), (950, 40), (1100, 0)] * 3)


def test_what_no_tensor_holds_is_refused_at_once(table: Path) -> None:
    reader = open_training_set(table)
    with pytest.raises(InvalidRequestError, match=r"a tensor cannot hold split \(string\)"):
        reader.to_torch()
    with pytest.raises(UnknownNameError, match="unknown column 'y'"):
        reader.to_torch(["y"])
    with pytest.raises(InvalidRequestError, match="there is no shard 2 of 2"):
        reader.to_torch(["id"], shard=(2, 2))
    with pytest.raises(InvalidRequestError, match="without shuffle each epoch is the same"):
        reader.to_torch(["id"]).set_epoch(1)


def test_a_null_is_not_made_a_number(tmp_path: Path) -> None:
    write_deltalake(tmp_path, pa.table({"id": [1, None]}))
    with pytest.raises(InvalidRequestError, match="column id has NULLs, and a tensor of int64 has none"):
        list(open_training_set(tmp_path).to_torch())


def test_a_state_of_another_number_of_workers(table: Path) -> None:
    dataset = open_training_set(table).to_torch(["id"], shard=(0, 2))
    next(iter(dataset))
    other = open_training_set(table).to_torch(["id"], shard=(0, 3))
    other.load_state_dict(dataset.state_dict())
    with pytest.raises(InvalidRequestError, match=r"the state is of shard \[0, 2\]"):
        next(iter(other))
