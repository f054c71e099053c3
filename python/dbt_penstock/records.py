"""A training set's record, written by the statement that builds its table.

Just before a model of one `penstock.training_set` runs, each table in its SQL is pinned to the version that it has, and
the record goes into the table's properties: `CREATE OR REPLACE TABLE … AS` commits rows and record at once.

An incremental model is refreshed by a merge, which can't set properties: its record follows in a commit of its own. A
build that ends between the two leaves the former record, from which the next one computes the same rows once more.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dbt_common.exceptions import DbtRuntimeError
from sqlglot.errors import SqlglotError

from dbt_penstock.generated_tests import is_merged, is_nothing_else
from dbt_penstock.refresh import WholeBuild, plan
from dbt_penstock.tables import in_a_literal, properties_of, rows_of, set_properties, version_of
from penstock import __version__
from penstock.semantic.as_of import pinned, tables_in
from penstock.training_sets import asked_of, compile_training_set, types_of_contracts
from penstock.training_sets.checksum import checksum, checksum_query
from penstock.training_sets.record import SETTINGS, Record, SpineRecord, definitions_used, record_of

if TYPE_CHECKING:
    from penstock.manifest.model import SemanticManifest
    from penstock.training_sets import TrainingSetRequest

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
    given, whole = model.config.get("tblproperties"), model.config.get("full_refresh")
    try:
        part = _refresh(model, manifest, adapter, record)
        if part is not None:
            model.compiled_code = part
            yield
            merged = replace(record, merged=version_of(adapter, model.relation_name))
            set_properties(adapter, model.relation_name, merged.properties())
            return
        model.compiled_code = record.sql
        escaped = {name: in_a_literal(value) for name, value in record.properties().items()}
        model.config["tblproperties"] = {**(given or {}), **escaped}
        yield
    finally:
        model.config["tblproperties"], model.config["full_refresh"] = given, whole


def _refresh(model: Any, manifest: Any, adapter: Any, record: Record) -> str | None:
    """The SQL of the rows that an incremental set lacks; None where it is built whole."""
    from dbt.flags import get_flags

    if model.config.materialized != "incremental" or get_flags().FULL_REFRESH or model.config.get("full_refresh"):
        return None
    properties = properties_of(adapter, model.relation_name)
    if properties is None:
        return None
    try:
        found = plan(model, adapter, *_asked(record.request, manifest), record_of(properties), record)
    except WholeBuild as reason:
        if model.config.get("full_refresh") is False:
            raise DbtRuntimeError(
                f"{model.name} has to be built whole, and full_refresh is false: {reason}"
            ) from reason
        _log.info("%s: built whole, for %s", model.name, reason)
        model.config["full_refresh"] = True
        return None
    told = ", ".join(f"{count} of {name}" for name, count in found.changed.items())
    _log.info("%s: refreshed after changed rows: %s", model.name, told or "none")
    return found.sql


def _asked(request: Mapping[str, Any], manifest: Any) -> tuple[SemanticManifest, TrainingSetRequest]:
    from dbt_penstock import jinja

    graph = manifest.flat_graph
    return asked_of(jinja.definitions_of(graph), request, types_of_contracts(graph))


def _record(model: Any, manifest: Any, adapter: Any) -> Record | None:
    from dbt_penstock import jinja

    asked = jinja.training_sets_asked(model.unique_id)
    if not asked or model.config.get("file_format") != "delta" or not _is_built_here(model):
        return None
    if len(asked) > 1:
        _log.info("%s: a table of %s training sets has no record", model.name, len(asked))
        return None
    [request] = asked
    try:
        inputs = {name: version_of(adapter, name) for name in tables_in(model.compiled_code, "spark")}
        sql = pinned(model.compiled_code, inputs)
    except SqlglotError as error:
        _log.info("%s: no record, the SQL around the training set is not understood: %s", model.name, error)
        return None
    known, wanted = _asked(request, manifest)
    rows = compile_training_set(known, wanted, "spark").rows
    return Record(
        sql=sql,
        inputs=inputs,
        spine=_spine(adapter, pinned(rows, inputs)),
        definitions=definitions_used(known, wanted),
        session={name: _setting(adapter, name) for name in SETTINGS},
        request=request,
        penstock=__version__,
    )


def _is_built_here(model: Any) -> bool:
    """Whether the model's table is built or refreshed by what it asks for, and not by the user's own SQL around it."""
    return model.config.materialized == "table" or (is_merged(model) and is_nothing_else(model.raw_code))


def _setting(adapter: Any, name: str) -> str:
    value = rows_of(adapter, f"SET {name}")[0]["value"]
    return str(value).lower() if isinstance(value, bool) else str(value)  # dbt reads 'false' as a truth value


def _spine(adapter: Any, query: str) -> SpineRecord:
    columns = [(row["col_name"], row["data_type"]) for row in rows_of(adapter, f"DESCRIBE QUERY {query}")]
    parts = list(rows_of(adapter, checksum_query(query, columns))[0].values())
    return SpineRecord(query, int(parts[0]), checksum(columns, parts))
