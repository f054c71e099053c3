"""A shard as batches of one size, which can be left and taken up again after any batch."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from penstock.errors import InvalidRequestError
from penstock.readers.order import Piece, Shuffle, between, row_groups, share
from penstock.readers.rows import RowReader

if TYPE_CHECKING:
    import pyarrow as pa

    from penstock.readers.snapshot import Snapshot

_CELLS_AT_ONCE = 1 << 18  # decoded at a time: enough to be fast, and 2 MB of numbers
_BLOCK_ROWS = 8_192
_POSITION = ("at", "skip", "rows", "batches")


class BatchStream:
    """An iterator of record batches, made by `TrainingSetReader.batches`.

    The shard's rows come in *blocks*, as many rows as are mixed at a time. A block is read, mixed, filtered and
    delivered. A state names a block by the row it begins at, and how many of its rows have been delivered; so what
    comes before the block need not be read again.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        columns: Sequence[str],
        where: Mapping[str, pa.Array],
        shard: tuple[int, int],
        shuffle: Shuffle | None,
        batch_rows: int,
        resume: Mapping[str, Any] | None,
    ) -> None:
        wanted = {name: values.to_pylist() for name, values in where.items()}
        self._request = {
            "table": snapshot.table_id,
            "version": snapshot.version,
            "shard": list(shard),
            "shuffle": None if shuffle is None else asdict(shuffle),
            "where": {name: sorted(map(str, values)) for name, values in sorted(wanted.items())},
        }
        self._position = dict.fromkeys(_POSITION, 0) if resume is None else self._checked(resume, snapshot.path)
        self._columns, self._where, self._shuffle, self._batch_rows = list(columns), where, shuffle, batch_rows
        read = list(dict.fromkeys([*columns, *where]))
        self._reader = RowReader(snapshot, read, max(_CELLS_AT_ONCE // len(read), 1))
        at = self._position["at"]
        start, pieces = share(row_groups(snapshot, wanted), shard, shuffle)
        self._start = start
        self._blocks = self._read(between(pieces, at), at, _BLOCK_ROWS if shuffle is None else shuffle.buffer_rows)
        self._read_to = at
        self._skip = self._position["skip"]
        # What is read and not delivered: where its block begins, how many of the block's rows precede it, the rows.
        self._waiting: deque[tuple[int, int, pa.RecordBatch]] = deque()

    def _checked(self, resume: Mapping[str, Any], path: str) -> dict[str, int]:
        if not isinstance(resume, Mapping) or set(resume) != {*self._request, *_POSITION}:
            raise InvalidRequestError("resume takes what state() returned", where=path)
        for name, value in self._request.items():
            if resume[name] != value:
                raise InvalidRequestError(
                    f"the state is of {name} {resume[name]}, this stream of {name} {value}",
                    where=path,
                    fix="ask for the same as before; open_training_set takes the version",
                )
        return {name: int(resume[name]) for name in _POSITION}

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return self

    def __next__(self) -> pa.RecordBatch:
        """The next batch.

        Raises:
            EnvironmentProblem: when a file has gone since the table was opened.
        """
        self._fill()
        parts, missing = [], self._batch_rows
        while self._waiting and missing:
            block, before, rows = self._waiting.popleft()
            parts.append(rows.slice(0, missing))
            if rows.num_rows > missing:
                self._waiting.appendleft((block, before + missing, rows.slice(missing)))
            missing -= parts[-1].num_rows
        if not parts:
            raise StopIteration
        at, skip = self._waiting[0][:2] if self._waiting else (self._read_to, 0)
        rows, batches = self._position["rows"] + self._batch_rows - missing, self._position["batches"] + 1
        self._position = {"at": at, "skip": skip, "rows": rows, "batches": batches}
        return _joined(parts)

    def state(self) -> dict[str, Any]:
        """What `resume` takes to go on after the last batch that was delivered, fit for JSON."""
        return {**self._request, **self._position}

    def _fill(self) -> None:
        """Read until a batch can be delivered, or the shard ends."""
        while sum(rows.num_rows for _, _, rows in self._waiting) < self._batch_rows:
            read = next(self._blocks, None)
            if read is None:
                return
            block, self._read_to, rows = read
            before = min(self._skip, rows.num_rows)
            self._skip -= before
            if before < rows.num_rows:
                self._waiting.append((block, before, rows.slice(before)))

    def _read(self, pieces: Sequence[Piece], at: int, most: int) -> Iterator[tuple[int, int, pa.RecordBatch]]:
        """The blocks: the row of the shard each begins at, the row after its last, and what of it to deliver."""
        parts: list[pa.RecordBatch] = []
        free = most
        for piece in pieces:
            for read in self._reader.read(piece):
                rest = read
                while rest.num_rows >= free:
                    yield at, at + most, self._prepared([*parts, rest.slice(0, free)], at)
                    parts, rest, at, free = [], rest.slice(free), at + most, most
                if rest.num_rows:
                    parts.append(rest)
                    free -= rest.num_rows
        if parts:
            yield at, at + most - free, self._prepared(parts, at)

    def _prepared(self, parts: Sequence[pa.RecordBatch], at: int) -> pa.RecordBatch:
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        block = _joined(parts)
        kept = np.ones(block.num_rows, dtype=bool)
        for name, values in self._where.items():
            kept &= pc.is_in(block.column(name), value_set=values).to_numpy(zero_copy_only=False)
        block = block.select(self._columns)
        if self._shuffle is None:
            return block if kept.all() else block.filter(pa.array(kept))
        order = self._shuffle.rows(block.num_rows, self._start + at)
        return block.take(pa.array(order[kept[order]]))


def _joined(parts: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    import pyarrow as pa

    return parts[0] if len(parts) == 1 else pa.concat_batches(parts)
