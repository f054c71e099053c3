"""A training set's record, written by the statement that builds its table.

Just before a model of one `penstock.training_set` runs, each table in its SQL is pinned to the version that it has, and
the record goes into the table's properties: `CREATE OR REPLACE TABLE … AS` commits rows and record at once. Only a
Delta table that is built anew has a record; an incremental model is made by many statements, and none of them is it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from dbt_common.exceptions import DbtRuntimeError
from sqlglot.errors import SqlglotError

from penstock import __version__
from penstock.semantic.as_of import read_as_of, tables_in
from penstock.training_sets import asked_of
from penstock.training_sets.checksum import checksum, checksum_query
from penstock.training_sets.record import SETTINGS, Record, SpineRecord, definitions_used

_log = logging.getLogger("penstock.training_sets")


@contextmanager
def written(model: Any, manifest: Any, adapter: Any) -> Iterator[None]:
    """Within, dbt runs a compiled model; if it is one training set, in a Delta table, the table gets its record.

    Args:
        model: dbt's node, whose SQL is pinned.
        manifest: dbt's manifest.
        adapter: dbt's adapter, with a connection for this thread.
    """
    record = _record(model, manifest, adapter)
    if record is None:
        yield
        return
    for name in record.unpinned:
        _log.info("%s: %s has no versions (it is no Delta table), so this set can't be rebuilt", model.name, name)
    given = model.config.get("tblproperties")
    model.compiled_code = record.sql
    escaped = {name: _in_a_literal(value) for name, value in record.properties().items()}
    model.config["tblproperties"] = {**(given or {}), **escaped}
    try:
        yield
    finally:
        model.config["tblproperties"] = given


def _record(model: Any, manifest: Any, adapter: Any) -> Record | None:
    from dbt_penstock import jinja, requests

    asked = jinja.training_sets_asked(model.unique_id)
    if not asked or model.config.materialized != "table" or model.config.get("file_format") != "delta":
        return None
    if len(asked) > 1:
        _log.info("%s: a table of %s training sets has no record", model.name, len(asked))
        return None
    [request] = asked
    try:
        inputs = {name: _version(adapter, name) for name in tables_in(model.compiled_code, "spark")}
        sql = _pinned(model.compiled_code, inputs)
    except SqlglotError as error:
        _log.info("%s: no record, the SQL around the training set is not understood: %s", model.name, error)
        return None
    definitions = jinja.definitions_of(manifest.flat_graph)
    rows = requests.training_set(request, definitions, manifest.flat_graph).rows
    known, wanted = asked_of(definitions, request, {})
    return Record(
        sql=sql,
        inputs=inputs,
        spine=_spine(adapter, _pinned(rows, inputs)),
        definitions=definitions_used(known, wanted),
        session={name: _setting(adapter, name) for name in SETTINGS},
        request=request,
        penstock=__version__,
    )


def _pinned(sql: str, inputs: Mapping[str, int | None]) -> str:
    read = set(tables_in(sql, "spark"))
    versions = {name: v for name, v in inputs.items() if v is not None and name in read}
    return read_as_of(sql, versions, "spark")


def _version(adapter: Any, relation: str) -> int | None:
    """The present version of a Delta table; None of anything else, which dbt then tells in its own words."""
    quoted = ".".join(f"`{part}`" for part in relation.split("."))
    try:
        return int(_rows(adapter, f"DESCRIBE HISTORY {quoted} LIMIT 1")[0]["version"])
    except DbtRuntimeError:
        return None


def _setting(adapter: Any, name: str) -> str:
    value = _rows(adapter, f"SET {name}")[0]["value"]
    return str(value).lower() if isinstance(value, bool) else str(value)  # dbt reads 'false' as a truth value


def _spine(adapter: Any, query: str) -> SpineRecord:
    columns = [(row["col_name"], row["data_type"]) for row in _rows(adapter, f"DESCRIBE QUERY {query}")]
    parts = list(_rows(adapter, checksum_query(query, columns))[0].values())
    return SpineRecord(query, int(parts[0]), checksum(columns, parts))


def _rows(adapter: Any, sql: str) -> list[Any]:
    _, table = adapter.execute(sql, fetch=True)
    return list(table.rows)


def _in_a_literal(value: str) -> str:
    """Escaped for where dbt-spark puts it: between single quotes, as it is."""
    return value.replace("\\", "\\\\").replace("'", "\\'")
