"""One version of a Delta table: its columns, its files, and which of their rows are deleted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from penstock.errors import EnvironmentProblem, InvalidRequestError

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    import pyarrow.fs
    import pyarrow.parquet

# What a table may ask of its readers, and that was tried on tables that Spark wrote. timestampNtz has an Arrow type of
# its own; v2Checkpoint is the log's, and deltalake's to read; vacuumProtocolCheck says nothing to a reader.
_FEATURES = {"deletionVectors", "columnMapping", "timestampNtz", "v2Checkpoint", "vacuumProtocolCheck"}
_FOOTERS_AT_ONCE = 8


@dataclass(frozen=True)
class DataFile:
    """A Parquet file of a table.

    Attributes:
        path: Where it lies in the snapshot's file system.
        partition: The values of the partition columns, which the file itself lacks.
        footer: Its row groups and their statistics.
        deleted: The positions of its deleted rows, ascending.
    """

    path: str
    partition: Mapping[str, Any]
    footer: pa.parquet.FileMetaData
    deleted: np.ndarray[Any, Any]


@dataclass(frozen=True)
class Snapshot:
    """A version of a table, which needs no deltalake any more: it travels to other processes.

    Attributes:
        path: As the user named it.
        table_id: The table's own id, the same for all its versions.
        version: The version.
        properties: The table's properties.
        schema: Its columns.
        stored: For each column the name in the files, or under column mapping by id the id of its Parquet field.
        refused: For each column that is not read, why not.
        files: Its files in the order of their paths, which is the same whenever and wherever the version is opened.
        file_system: Where they lie.
    """

    path: str
    table_id: str
    version: int
    properties: Mapping[str, str]
    schema: pa.Schema
    stored: Mapping[str, str | int]
    refused: Mapping[str, str]
    files: tuple[DataFile, ...]
    file_system: pa.fs.FileSystem


def open_snapshot(path: str | Path, version: int | None) -> Snapshot:
    """Read the log of a Delta table, and the footers of the version's files.

    Args:
        path: The table's folder.
        version: The version; the newest when None.

    Raises:
        EnvironmentProblem: when deltalake is missing, there is no table, or files of the version are gone.
        InvalidRequestError: when there is no such version, or it needs of a reader what this one cannot do.
    """
    import pyarrow as pa
    import pyarrow.fs

    table = _load(str(path), version)
    where = f"{path}, version {table.version()}"
    _check_features(table, where)
    url = urlsplit(table.table_uri)
    file_system, base = pa.fs.FileSystem.from_uri(f"{url.scheme}://{url.netloc}/")
    fields = list(pa.schema(table.schema().to_arrow()))
    metadata = table.metadata()
    mode = metadata.configuration.get("delta.columnMapping.mode", "none")
    files = _Files(url, base.rstrip("/"), file_system, where)
    return Snapshot(
        path=str(path),
        table_id=str(metadata.id),
        version=table.version(),
        properties=dict(metadata.configuration),
        schema=pa.schema([field.remove_metadata() for field in fields]),
        stored=_stored(fields, mode),
        refused=dict(_refused(fields, mode)),
        files=files.of(table),
        file_system=file_system,
    )


def history_of(snapshot: Snapshot) -> list[tuple[int, str]]:
    """The commits up to a version, newest first, each with its operation.

    Raises:
        EnvironmentProblem: when the table's log is gone.
    """
    # of the newest version, because deltalake numbers the commits down from the version that is open
    commits = _load(snapshot.path, None).history()
    found = ((int(commit["version"]), str(commit.get("operation"))) for commit in commits)
    return sorted((c for c in found if c[0] <= snapshot.version), reverse=True)


def _load(path: str, version: int | None) -> Any:
    try:
        from deltalake import DeltaTable
        from deltalake.exceptions import DeltaError, TableNotFoundError
    except ImportError as error:
        raise EnvironmentProblem(
            "reading a Delta table without Spark needs deltalake", fix="pip install 'penstock[readers]'"
        ) from error
    if version is not None and (isinstance(version, bool) or not isinstance(version, int) or version < 0):
        raise InvalidRequestError(f"a version is a whole number from 0 on, not {version!r}", where=path)
    try:
        return DeltaTable(path, version=version)
    except (DeltaError, OSError) as error:
        if version is None:
            if not isinstance(error, TableNotFoundError):
                raise EnvironmentProblem(f"the table's log cannot be read: {error}", where=path) from error
            raise EnvironmentProblem(
                "there is no Delta table here", where=path, fix="name the folder that holds its _delta_log"
            ) from error
        newest = _load(path, None).version()
        if version > newest:
            raise InvalidRequestError(
                f"the table has no version {version}", where=path, fix=f"its newest version is {newest}"
            ) from error
        raise EnvironmentProblem(
            f"version {version} cannot be read any more: its entries in the log are gone ({error})",
            where=path,
            fix="open a later version; delta.logRetentionDuration says how long the log is kept",
        ) from error


def _check_features(table: Any, where: str) -> None:
    asked = set(table.protocol().reader_features or ()) - _FEATURES
    if asked:
        raise InvalidRequestError(
            f"the table needs a reader with {', '.join(sorted(asked))}, which this one has not",
            where=where,
            fix="read it through Spark, or write the training set to a table without that",
        )


def _stored(fields: list[Any], mode: str) -> dict[str, str | int]:
    if mode == "none":
        return {field.name: field.name for field in fields}
    key = {"name": b"delta.columnMapping.physicalName", "id": b"delta.columnMapping.id"}[mode]
    found = {field.name: field.metadata[key].decode() for field in fields}
    return {name: int(text) if mode == "id" else text for name, text in found.items()}


def _refused(fields: list[Any], mode: str) -> Iterator[tuple[str, str]]:
    for field in fields:
        if mode != "none" and "struct<" in str(field.type):
            yield field.name, "column mapping gave the fields of its structs other names in the files"
        if (field.metadata or {}).get(b"__CHAR_VARCHAR_TYPE_STRING", b"").startswith(b"char"):
            yield field.name, "it is a CHAR, which only Spark pads to its length"


@dataclass(frozen=True)
class _Files:
    url: Any
    base: str
    file_system: Any
    where: str

    def of(self, table: Any) -> tuple[DataFile, ...]:
        import numpy as np
        import pyarrow as pa

        has_deleted = "deletionVectors" in (table.protocol().reader_features or ())
        deleted = dict(self._deleted(table)) if has_deleted else {}
        # The paths of file_uris() are wrong for a shallow clone, whose log names the files of another table in full.
        actions = [
            (self._placed(action["path"]), action.get("partition") or {})
            for action in pa.table(table.get_add_actions()).to_pylist()
        ]
        actions.sort(key=lambda each: each[0])
        with ThreadPoolExecutor(_FOOTERS_AT_ONCE) as pool:
            footers = list(pool.map(partial(read_footer, self.file_system, where=self.where), [p for p, _ in actions]))
        none = np.empty(0, dtype=np.int64)
        files = tuple(
            DataFile(path, partition, footer, deleted.pop(path, none))
            for (path, partition), footer in zip(actions, footers, strict=True)
        )
        if deleted:  # a deleted row would come back
            raise AssertionError(f"deletion vectors of files that the version has not: {sorted(deleted)}")
        return files

    def _deleted(self, table: Any) -> Iterator[tuple[str, np.ndarray[Any, Any]]]:
        import numpy as np
        import pyarrow as pa
        from deltalake.exceptions import DeltaError

        try:
            for batch in pa.RecordBatchReader.from_stream(table.deletion_vectors()):
                for path, kept in zip(*batch.columns, strict=True):
                    mask = kept.values.to_numpy(zero_copy_only=False)
                    yield self._placed(path.as_py()), np.flatnonzero(~mask)
        except (DeltaError, OSError) as error:
            raise gone(f"a deletion vector cannot be read: {error}", self.where) from error

    def _placed(self, path: str) -> str:
        """The path in the file system of a file that the log names, relative to the table or in full."""
        named = urlsplit(path)
        if not named.scheme:
            return f"{self.base}{unquote(self.url.path).rstrip('/')}/{unquote(path)}"
        if (named.scheme, named.netloc) != (self.url.scheme, self.url.netloc):
            raise InvalidRequestError(
                "the table's files lie in another storage than its log",
                where=f"{self.where}: {path}",
                fix="read the table that it is a clone of, or make a full copy",
            )
        return self.base + unquote(named.path)


def read_footer(file_system: Any, path: str, *, where: str) -> Any:
    """The footer of a Parquet file.

    Raises:
        EnvironmentProblem: when the file is gone or broken.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_metadata(path, filesystem=file_system)
    except FileNotFoundError as error:
        raise gone(f"its file {path} is gone", where) from error
    except (OSError, pa.ArrowException) as error:
        raise EnvironmentProblem(f"a file of the table cannot be read: {error}", where=f"{where}: {path}") from error


def gone(what: str, where: str) -> EnvironmentProblem:
    """The error for a version of which a part was taken away."""
    return EnvironmentProblem(
        f"this version cannot be read any more: {what}",
        where=where,
        fix="VACUUM takes the files of old versions: open a newer one, or build the set anew",
    )
