"""A training set as a torch dataset. torch is imported with this module, and by nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch.utils.data import IterableDataset, get_worker_info

from penstock.errors import InvalidRequestError

if TYPE_CHECKING:
    from penstock.readers.order import Shuffle
    from penstock.readers.reader import TrainingSetReader
    from penstock.readers.stream import BatchStream


class TorchDataset(IterableDataset):
    """Batches of a training set as dicts of tensors, made by `TrainingSetReader.to_torch`.

    A `DataLoader` takes it with `batch_size=None`, for what it yields are batches. `state_dict` and `load_state_dict`
    are those that torchdata's `StatefulDataLoader` calls, in each worker.
    """

    def __init__(
        self,
        reader: TrainingSetReader,
        columns: Sequence[str],
        where: Mapping[str, Any] | None,
        shard: tuple[int, int] | None,
        shuffle: Shuffle | None,
        batch_rows: int,
    ) -> None:
        unfit = [name for name in columns if not _fits(reader.schema.field(name).type)]
        if unfit:
            raise InvalidRequestError(
                f"a tensor cannot hold {', '.join(f'{name} ({reader.schema.field(name).type})' for name in unfit)}",
                fix="leave them out of columns, or encode them in the model",
            )
        self._reader = reader
        self._columns = list(columns)
        self._rank = shard
        self._asked: dict[str, Any] = {"where": where, "shuffle": shuffle, "batch_rows": batch_rows}
        self._resume: Mapping[str, Any] | None = None
        self._stream: BatchStream | None = None
        self._open(None)  # a mistake is told here, not in a worker

    def set_epoch(self, epoch: int) -> None:
        """Take the order of another epoch from the next iteration on. Workers that have started keep theirs."""
        shuffle = self._asked["shuffle"]
        if shuffle is None:
            raise InvalidRequestError("without shuffle each epoch is the same", fix="to_torch(shuffle=Shuffle(…))")
        self._asked["shuffle"] = replace(shuffle, epoch=epoch)

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        self._stream, self._resume = self._open(self._resume), None
        for batch in self._stream:
            yield {name: _tensor(name, column) for name, column in zip(self._columns, batch.columns, strict=True)}

    def state_dict(self) -> dict[str, Any]:
        """How far this process has read: it goes into `load_state_dict` of the same dataset."""
        state = self._stream.state() if self._stream is not None else self._resume
        return {"stream": state}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state at the next iteration.

        Raises:
            InvalidRequestError: at that iteration, when the state is of another dataset, or of another number of
                workers or ranks.
        """
        self._stream, self._resume = None, state["stream"]

    def __getstate__(self) -> dict[str, Any]:
        # A worker that is not forked knows nothing of torch.distributed.
        return {**self.__dict__, "_rank": self._rank or _distributed(), "_stream": None}

    def _open(self, resume: Mapping[str, Any] | None) -> BatchStream:
        rank, ranks = self._rank or _distributed() or (0, 1)
        worker = get_worker_info()
        number, workers = (worker.id, worker.num_workers) if worker is not None else (0, 1)
        shard = (rank * workers + number, ranks * workers)
        return self._reader.batches(self._columns, shard=shard, resume=resume, **self._asked)


def _distributed() -> tuple[int, int] | None:
    distributed = torch.distributed
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return None


def _fits(kind: pa.DataType) -> bool:
    is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    return bool(is_number or pa.types.is_boolean(kind) or pa.types.is_date(kind) or pa.types.is_timestamp(kind))


def _tensor(name: str, column: pa.Array) -> torch.Tensor:
    if pa.types.is_decimal(column.type):
        column = column.cast(pa.float64())
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.int64())
    if pa.types.is_date(column.type):
        column = column.cast(pa.int32())
    if column.null_count:
        if not pa.types.is_floating(column.type):
            raise InvalidRequestError(
                f"column {name} has NULLs, and a tensor of {column.type} has none",
                fix="cast it to double in the model, where NULL becomes NaN, or leave those rows out",
            )
        column = pc.fill_null(column, float("nan"))
    # a copy, for Arrow's memory must not be written to and a tensor may be
    return torch.from_numpy(column.to_numpy(zero_copy_only=False).copy())
