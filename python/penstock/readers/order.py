"""Which rows a shard has, and in which order: row groups, in one order for all shards, cut into equal shares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from penstock.errors import InvalidRequestError

if TYPE_CHECKING:
    import numpy as np

    from penstock.readers.snapshot import Snapshot

_ROW_GROUPS, _ROWS = 0, 1  # what is permuted: each kind has random numbers of its own


@dataclass(frozen=True)
class Shuffle:
    """A random order that can be had again.

    Row groups come in a random order, and rows are mixed within a buffer.

    Args:
        buffer_rows: How many rows are mixed at a time; as many are held in memory.
        seed: The same seed and epoch give the same order.
        epoch: The pass over the data.
    """

    buffer_rows: int
    seed: int = 0
    epoch: int = 0

    def __post_init__(self) -> None:
        for name, least in (("buffer_rows", 1), ("seed", 0), ("epoch", 0)):
            check_whole(f"shuffle's {name}", getattr(self, name), least)

    def rows(self, count: int, start: int) -> np.ndarray[Any, Any]:
        """A permutation of the `count` rows of the buffer that begins at row `start` of the whole order."""
        return self._permutation(count, _ROWS, start)

    def row_groups(self, count: int) -> np.ndarray[Any, Any]:
        """A permutation of the row groups."""
        return self._permutation(count, _ROW_GROUPS, 0)

    def _permutation(self, count: int, *what: int) -> np.ndarray[Any, Any]:
        import numpy as np

        # The raw stream of a bit generator is the part of numpy that stays the same from version to version.
        numbers = np.random.PCG64(np.random.SeedSequence(self.seed, spawn_key=(self.epoch, *what)))
        return np.argsort(numbers.random_raw(count), kind="stable")


@dataclass(frozen=True)
class Piece:
    """Consecutive rows of a row group, counted without the deleted ones.

    Attributes:
        file: The position of the file in the snapshot.
        row_group: The position of the row group in the file.
        first: The first row.
        end: The row after the last.
    """

    file: int
    row_group: int
    first: int
    end: int


def row_groups(snapshot: Snapshot, wanted: Mapping[str, Sequence[Any]]) -> list[Piece]:
    """The row groups, whole, that may hold rows with the wanted values, in the snapshot's order.

    Args:
        snapshot: The table.
        wanted: For each column in question, the values of which a row must have one.
    """
    import numpy as np

    partitioned = snapshot.files[0].partition.keys() if snapshot.files else ()
    found = []
    for number, file in enumerate(snapshot.files):
        if any(file.partition[name] not in values for name, values in wanted.items() if name in partitioned):
            continue
        # What is stored by field id has no entry, so nothing is left out by its statistics.
        stored = {snapshot.stored[name]: values for name, values in wanted.items() if name not in partitioned}
        start = 0
        for index in range(file.footer.num_row_groups):
            group = file.footer.row_group(index)
            deleted = np.searchsorted(file.deleted, [start, start + group.num_rows])
            live = group.num_rows - int(deleted[1] - deleted[0])
            start += group.num_rows
            if live and not _excluded(group, stored):
                found.append(Piece(number, index, 0, live))
    return found


def _excluded(group: Any, wanted: Mapping[str | int, Sequence[Any]]) -> bool:
    """Whether the statistics of a row group say that it has none of the wanted values of some column."""
    for index in range(group.num_columns if wanted else 0):
        column = group.column(index)
        path = column.path_in_schema
        values = () if "." in path else wanted.get(path, ())  # a dot may also stand in the name of another column
        statistics = column.statistics if values else None
        if statistics is None or not statistics.has_min_max:
            continue
        least, greatest = statistics.min, statistics.max
        # Only where Python's order is surely the file's, which it is not for decimals and times.
        comparable = type(least) in (int, str) and all(type(value) is type(least) for value in values)
        if comparable and all(value < least or value > greatest for value in values):
            return True
    return False


def share(pieces: Sequence[Piece], shard: tuple[int, int], shuffle: Shuffle | None) -> tuple[int, list[Piece]]:
    """The rows of one shard: where they begin in the order of all rows, and the pieces in that order.

    The shares are disjoint, have all rows together, and differ by a row at most. Where a cut goes through a row group,
    two shares read it.

    Args:
        pieces: All row groups.
        shard: Which share, from 0 on, and of how many.
        shuffle: The order; the snapshot's when None.
    """
    if shuffle is not None:
        pieces = [pieces[index] for index in shuffle.row_groups(len(pieces))]
    index, count = shard
    total = sum(piece.end for piece in pieces)
    first, end = index * total // count, (index + 1) * total // count
    return first, between(pieces, first, end)


def between(pieces: Sequence[Piece], first: int, end: int | None = None) -> list[Piece]:
    """The rows from the `first` on, up to `end`, of pieces that are read one after the other."""
    found, start = [], 0
    for piece in pieces:
        rows = piece.end - piece.first
        low, high = max(first - start, 0), rows if end is None else min(end - start, rows)
        if low < high:
            found.append(Piece(piece.file, piece.row_group, piece.first + low, piece.first + high))
        start += rows
    return found


def check_whole(what: str, value: Any, least: int) -> None:
    """Refuse what is no whole number from `least` on.

    Raises:
        InvalidRequestError: then.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise InvalidRequestError(f"{what} is a whole number from {least} on, not {value!r}")


def check_shard(shard: Any) -> tuple[int, int]:
    """A shard as a pair.

    Raises:
        InvalidRequestError: when it is none.
    """
    try:
        index, count = shard
    except (TypeError, ValueError):
        raise InvalidRequestError(f"a shard is a pair (which, of how many), not {shard!r}") from None
    check_whole("the number of shards", count, 1)
    check_whole("a shard", index, 0)
    if index >= count:
        raise InvalidRequestError(f"there is no shard {index} of {count}", fix=f"they are 0 to {count - 1}")
    return index, count
