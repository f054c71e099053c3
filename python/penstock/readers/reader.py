"""Open a training set, and read it as batches, Arrow, pandas, Polars or torch."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.errors import EnvironmentProblem, InvalidRequestError, UnknownNameError
from penstock.readers.order import Shuffle, check_shard, check_whole
from penstock.readers.snapshot import Snapshot, history_of, open_snapshot
from penstock.readers.stream import BatchStream
from penstock.training_sets.history import last_build
from penstock.training_sets.record import Record, record_of

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from penstock.readers.torch_dataset import TorchDataset

Where = Mapping[str, Any] | None


def open_training_set(path: str | Path, version: int | None = None) -> TrainingSetReader:
    """Open a version of a Delta table to read it without Spark.

    What is read afterwards is that version, whatever is written to the table meanwhile.

    Args:
        path: The table's folder.
        version: The version; the newest when None.

    Raises:
        EnvironmentProblem: when deltalake is missing, there is no table, or files of the version are gone.
        InvalidRequestError: when there is no such version, or it needs of a reader what this one cannot do.
    """
    return TrainingSetReader(open_snapshot(path, version))


class TrainingSetReader:
    """One version of a training set; `open_training_set` opens it. It may be sent to other processes."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    @property
    def version(self) -> int:
        """The Delta version that is read."""
        return self._snapshot.version

    @property
    def schema(self) -> pa.Schema:
        """The columns and their types."""
        return self._snapshot.schema

    @property
    def properties(self) -> Mapping[str, str]:
        """The table's properties."""
        return self._snapshot.properties

    @property
    def digest(self) -> str:
        """What tells the version from every other of any table: 32 letters and digits."""
        return hashlib.sha256(f"{self._snapshot.table_id} {self.version}".encode()).hexdigest()[:32]

    def record(self) -> Record | None:
        """What the version was made from; None where the table does not say so, or was written to since.

        Raises:
            EnvironmentProblem: when the table's log is gone.
        """
        record = record_of(self.properties)
        if record is None:
            return None
        _, since = last_build(history_of(self._snapshot), record.merged)
        return record if since is None else None

    @property
    def rows(self) -> int:
        """How many rows the version has."""
        return sum(file.footer.num_rows - len(file.deleted) for file in self._snapshot.files)

    def batches(
        self,
        columns: Sequence[str] | None = None,
        *,
        where: Where = None,
        shard: tuple[int, int] = (0, 1),
        shuffle: Shuffle | None = None,
        batch_rows: int = 8_192,
        resume: Mapping[str, Any] | None = None,
    ) -> BatchStream:
        """Read the rows as record batches, in an order that is the same each time.

        Args:
            columns: The columns wanted, in this order; all when None. The others are not read.
            where: For each column in question the value that a row must have, or a list of values of which one.
            shard: Which share of the rows, from 0 on, and of how many shares. The shares of one order, that is of the
                same `where`, seed and epoch, are disjoint, have all rows together, and are equal before `where`.
            shuffle: A random order instead of that of the files.
            batch_rows: Rows in a batch; only the last has fewer.
            resume: What `BatchStream.state` returned, to go on from there.

        Raises:
            UnknownNameError: when there is no such column.
            InvalidRequestError: when an argument makes no sense, or the state is of another stream.
        """
        names = self._columns(columns)
        values = self._where(where or {})
        check_whole("batch_rows", batch_rows, 1)
        return BatchStream(self._snapshot, names, values, check_shard(shard), shuffle, batch_rows, resume)

    def to_arrow(self, columns: Sequence[str] | None = None, *, where: Where = None) -> pa.Table:
        """All rows as an Arrow table. Arguments and errors are those of `batches`."""
        import pyarrow as pa

        names = self._columns(columns)
        schema = pa.schema([self.schema.field(name) for name in names])
        return pa.Table.from_batches(list(self.batches(names, where=where)), schema)

    def to_pandas(self, columns: Sequence[str] | None = None, *, where: Where = None) -> pd.DataFrame:
        """All rows as a pandas frame. Arguments and errors are those of `batches`."""
        frame: pd.DataFrame = self.to_arrow(columns, where=where).to_pandas()
        return frame

    def to_polars(self, columns: Sequence[str] | None = None, *, where: Where = None) -> pl.DataFrame:
        """All rows as a Polars frame. Arguments and errors are those of `batches`.

        Raises:
            EnvironmentProblem: when Polars is missing.
        """
        try:
            import polars as pl
        except ImportError as error:
            raise EnvironmentProblem("Polars is not installed", fix="pip install 'penstock[readers]'") from error
        frame: pl.DataFrame = pl.from_arrow(self.to_arrow(columns, where=where))
        return frame

    def to_torch(
        self,
        columns: Sequence[str] | None = None,
        *,
        where: Where = None,
        shard: tuple[int, int] | None = None,
        shuffle: Shuffle | None = None,
        batch_rows: int = 1_024,
    ) -> TorchDataset:
        """The rows as a torch `IterableDataset` of batches, each a dict of tensors by column.

        Every worker of a `DataLoader` reads a share of its own, and so does every rank.

        Args:
            columns: As for `batches`; numbers, booleans, dates and timestamps only.
            where: As for `batches`.
            shard: Which rank this process is, and of how many; torch.distributed says it when None.
            shuffle: As for `batches`.
            batch_rows: As for `batches`.

        Raises:
            EnvironmentProblem: when torch is missing.
            PenstockError: as for `batches`, and when a column cannot be a tensor.
        """
        try:
            from penstock.readers.torch_dataset import TorchDataset
        except ImportError as error:
            raise EnvironmentProblem("torch is not installed", fix="install torch as its own pages say") from error
        return TorchDataset(self, self._columns(columns), where, shard, shuffle, batch_rows)

    def _columns(self, columns: Sequence[str] | None) -> list[str]:
        if isinstance(columns, str):
            raise InvalidRequestError(f"columns is a list of names, not the text '{columns}'", fix=f"['{columns}']")
        names = list(self.schema.names if columns is None else columns)
        for name in names:
            self._known(name)
        if not names or len(set(names)) < len(names):
            raise InvalidRequestError("columns names no column, or one twice", where=", ".join(names))
        return names

    def _known(self, name: str) -> pa.Field:
        if name not in self.schema.names:
            raise UnknownNameError.of("column", str(name), self.schema.names, where=self._snapshot.path)
        if name in self._snapshot.refused:
            raise InvalidRequestError(
                f"column '{name}' cannot be read without Spark: {self._snapshot.refused[name]}",
                where=self._snapshot.path,
                fix="name the other columns in columns, or let the training set have it as plain columns",
            )
        return self.schema.field(name)

    def _where(self, where: Mapping[str, Any]) -> dict[str, pa.Array]:
        import pyarrow as pa

        found = {}
        for name, asked in where.items():
            kind = self._known(name).type
            values = list(asked) if isinstance(asked, (list, tuple, set, frozenset)) else [asked]
            if pa.types.is_floating(kind) or pa.types.is_nested(kind):
                raise InvalidRequestError(f"where compares no {kind}", where=f"column {name}")
            if not values or any(value is None for value in values):
                raise InvalidRequestError("where takes a value or several, and NULL is none", where=f"column {name}")
            try:
                found[name] = pa.array(values, kind)
            except (pa.ArrowException, TypeError, ValueError, OverflowError):
                found[name] = pa.nulls(0, kind)
            if found[name].to_pylist() != values:  # Arrow would take 1.5 for 1
                raise InvalidRequestError(f"{asked!r} is no value of a column of {kind}", where=f"column {name}")
        return found
