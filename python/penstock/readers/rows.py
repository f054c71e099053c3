"""Rows of a row group as the table's columns: those asked for, without the deleted rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from penstock.errors import InvalidRequestError
from penstock.readers.snapshot import gone

if TYPE_CHECKING:
    import pyarrow as pa

    from penstock.readers.order import Piece
    from penstock.readers.snapshot import DataFile, Snapshot

_PAGE_BYTES = 1 << 20  # read at a time of each column


class RowReader:
    """Reads pieces of row groups.

    Args:
        snapshot: The table.
        columns: The columns wanted. Of the others nothing is read.
        at_once: How many rows are decoded at a time, at most.
    """

    def __init__(self, snapshot: Snapshot, columns: Sequence[str], at_once: int) -> None:
        import pyarrow as pa

        self.schema = pa.schema([snapshot.schema.field(name) for name in columns])
        self._snapshot = snapshot
        self._at_once = at_once
        self._opened: tuple[int, Any, list[str | None]] | None = None

    def read(self, piece: Piece) -> Iterator[pa.RecordBatch]:
        """The rows of a piece.

        Raises:
            EnvironmentProblem: when the file has gone since the table was opened.
            InvalidRequestError: when a column cannot be read as the table's type.
        """
        import numpy as np
        import pyarrow as pa

        file = self._snapshot.files[piece.file]
        position = sum(file.footer.row_group(index).num_rows for index in range(piece.row_group))
        live = 0  # rows of the row group before the batch, without the deleted ones
        for batch in self._decoded(piece):
            low, high = np.searchsorted(file.deleted, [position, position + batch.num_rows])
            kept = batch.num_rows - int(high - low)
            start, end = max(piece.first - live, 0), min(piece.end - live, kept)
            if start < end:
                rows = self._of_the_table(batch, piece)
                if low < high:
                    mask = np.ones(batch.num_rows, dtype=bool)
                    mask[file.deleted[low:high] - position] = False
                    rows = rows.filter(pa.array(mask))
                yield rows.slice(start, end - start)
            position += batch.num_rows
            live += kept
            if live >= piece.end:
                return

    def _decoded(self, piece: Piece) -> Iterator[pa.RecordBatch]:
        """All rows of the row group, deleted ones too, with the columns as the file has them."""
        import pyarrow as pa

        opened, stored = self._open(piece.file)
        names = [name for name in stored if name is not None]
        if names:
            yield from opened.iter_batches(batch_size=self._at_once, row_groups=[piece.row_group], columns=names)
            return
        rows = opened.metadata.row_group(piece.row_group).num_rows
        for start in range(0, rows, self._at_once):
            yield pa.record_batch([pa.nulls(min(self._at_once, rows - start))], names=["no column of the file"])

    def _open(self, number: int) -> tuple[Any, list[str | None]]:
        import pyarrow.parquet as pq

        if self._opened is None or self._opened[0] != number:
            file = self._snapshot.files[number]
            try:
                opened = pq.ParquetFile(
                    file.path,
                    filesystem=self._snapshot.file_system,
                    metadata=file.footer,
                    pre_buffer=False,  # it would hold the whole row group
                    buffer_size=_PAGE_BYTES,
                    # Spark's INT96 holds years that nanoseconds do not, and Arrow would wrap them around
                    coerce_int96_timestamp_unit="us",
                )
            except FileNotFoundError as error:
                raise gone(f"its file {file.path} is gone", self._where()) from error
            self._opened = (number, opened, self._stored_in(file, opened.schema_arrow))
        return self._opened[1], self._opened[2]

    def _stored_in(self, file: DataFile, schema: pa.Schema) -> list[str | None]:
        """The name in the file of each column; None of one that the file lacks."""
        names: dict[str | int, str] = {field.name: field.name for field in schema}
        if any(isinstance(stored, int) for stored in self._snapshot.stored.values()):
            names = {int((field.metadata or {}).get(b"PARQUET:field_id", -1)): field.name for field in schema}
            if -1 in names:  # its columns would all be NULL
                raise InvalidRequestError(
                    "the table maps its columns by field id, and a file has none", where=f"{self._where()}: {file.path}"
                )
        return [
            None if name in file.partition else names.get(self._snapshot.stored[name]) for name in self.schema.names
        ]

    def _of_the_table(self, batch: pa.RecordBatch, piece: Piece) -> pa.RecordBatch:
        import pyarrow as pa

        file = self._snapshot.files[piece.file]
        _, stored = self._open(piece.file)
        columns = []
        for field, name in zip(self.schema, stored, strict=True):
            if name is None:  # a partition column, or one that the table got after the file was written
                columns.append(pa.repeat(pa.scalar(file.partition.get(field.name), field.type), batch.num_rows))
                continue
            column = batch.column(name)
            try:
                columns.append(column if column.type == field.type else column.cast(field.type))
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
                raise InvalidRequestError(
                    f"column '{field.name}' cannot be read as {field.type}: {error}",
                    where=f"{self._where()}: {file.path}",
                    fix="leave it out of columns, or rewrite the table",
                ) from error
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)

    def _where(self) -> str:
        return f"{self._snapshot.path}, version {self._snapshot.version}"
