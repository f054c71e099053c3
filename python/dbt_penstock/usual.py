"""The data test `as_usual` as dbt asks for it: where the table is, what its columns were, and the query."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dbt_common.exceptions import DbtRuntimeError

from penstock.errors import InvalidRequestError, UnknownNameError
from penstock.monitoring.anomalies.commits import versions_around
from penstock.monitoring.anomalies.schema import Changed, changes
from penstock.monitoring.anomalies.series import Buckets
from penstock.monitoring.anomalies.usual import CHECKS, FRESHNESS, NULLS, SCHEMA, VOLUME, Usual, findings

if TYPE_CHECKING:
    from penstock.dialects import Dialect

_OF_BUCKETS = ("time", "bucket", "season", "as_of")
_OF_USUAL = ("checks", "columns", "within", "past", "min_past", "last", "alpha", "min_change")
_OF_SCHEMA = ("schema_window", "expected")
ARGUMENTS = (*_OF_BUCKETS, *_OF_USUAL, *_OF_SCHEMA)
"""The arguments of the test."""
# Of an old version the columns alone are read, which Delta still knows when its files may be gone.
_OLD_VERSIONS = "spark.databricks.delta.vacuum.enforceTimeTravelWithinDeletedFileRetentionDuration"

RunQuery = Callable[[str], Any]


def as_usual(
    relation: str,
    columns: Sequence[tuple[str, str]],
    asked: Mapping[str, Any],
    graph: Mapping[str, Any],
    run_query: RunQuery,
    dialect: Dialect,
) -> str:
    """The query of the test: what of a table is not as usual.

    Args:
        relation: The table as dbt writes it.
        columns: The names and types of its columns.
        asked: The test's arguments; None is the default.
        graph: dbt's `graph`, which knows what the YAML says of the columns.
        run_query: dbt's macro.
        dialect: dbt's `target.type`.

    Raises:
        UnknownNameError: An argument, check or column is not known.
        InvalidRequestError: An argument makes no sense, or the table has no log that tells its past.
    """
    given = {name: value for name, value in asked.items() if value is not None}
    for name in given:
        if name not in ARGUMENTS:
            raise UnknownNameError.of("argument", str(name), ARGUMENTS, where=f"as_usual of {relation}")
    known = [name for name, _ in columns]
    buckets = _buckets(given, known, relation)
    location = _location(relation, run_query) if dialect == "spark" else None
    usual = Usual(
        checks=_checks(given, buckets, location),
        buckets=buckets,
        columns=_columns(given, known, buckets, relation),
        **{name: given[name] for name in _OF_USUAL[2:] if name in given},
    )
    changed: list[Changed] = []
    if SCHEMA in usual.checks:
        if location is None:
            raise InvalidRequestError(
                "it is no Delta table, whose versions tell its columns",
                where=relation,
                fix="leave schema out of checks",
            )
        changed = _changed(relation, columns, location, given, graph, run_query)
    return findings(relation, usual, dialect, location=location, changed=changed).sql(dialect, pretty=True)


def _buckets(given: Mapping[str, Any], known: Sequence[str], relation: str) -> Buckets | None:
    if "time" not in given:
        for name in _OF_BUCKETS[1:]:
            if name in given:
                raise InvalidRequestError(
                    f"{name} without time", where=f"as_usual of {relation}", fix="time: the column of each row's time"
                )
        return None
    _check_columns([given["time"]], known, f"as_usual of {relation}, time")
    return Buckets(**{name: str(given[name]) for name in _OF_BUCKETS if name in given})  # type: ignore[arg-type]


def _checks(given: Mapping[str, Any], buckets: Buckets | None, location: str | None) -> tuple[str, ...]:
    """Those that are asked for; else all that there is a past for."""
    if "checks" in given:
        return tuple(_names(given["checks"], "checks"))
    if location is not None or buckets is None:
        return CHECKS
    return (VOLUME, NULLS, *((FRESHNESS,) if "within" in given else ()))


def _columns(given: Mapping[str, Any], known: Sequence[str], buckets: Buckets | None, relation: str) -> tuple[str, ...]:
    if "columns" in given:
        asked = _names(given["columns"], "columns")
        _check_columns(asked, known, f"as_usual of {relation}, columns")
        wanted = {name.lower() for name in asked}
        # As the table writes them, for so they stand in its log.
        return tuple(name for name in known if name.lower() in wanted)
    # The time of a row that counts is not NULL.
    return tuple(name for name in known if buckets is None or name.lower() != buckets.time.lower())


def _names(given: Any, where: str) -> list[str]:
    names = [given] if isinstance(given, str) else given
    if not isinstance(names, list | tuple) or not all(isinstance(each, str) for each in names):
        raise InvalidRequestError(f"{where} is {given!r}", where=where, fix="a list of names")
    return list(names)


def _check_columns(asked: Sequence[str], known: Sequence[str], where: str) -> None:
    folded = {name.lower() for name in known}
    for name in asked:
        if str(name).lower() not in folded:
            raise UnknownNameError.of("column", str(name), known, where=where)


def _location(relation: str, run_query: RunQuery) -> str | None:
    """Where a Delta table is; None of anything else."""
    try:
        [row] = run_query(f"DESCRIBE DETAIL {relation}").rows
    except DbtRuntimeError:
        return None
    return str(row["location"]) if row["format"] == "delta" else None


def _changed(
    relation: str,
    columns: Sequence[tuple[str, str]],
    location: str,
    given: Mapping[str, Any],
    graph: Mapping[str, Any],
    run_query: RunQuery,
) -> list[Changed]:
    expected = _names(given.get("expected", []), "expected")
    [row] = run_query(versions_around(location, str(given.get("schema_window", "1 day"))).sql("spark")).rows
    if row["before"] is None or row["before"] == row["newest"]:
        return []
    run_query(f"SET {_OLD_VERSIONS} = false")
    try:
        before = run_query(f"DESCRIBE QUERY SELECT * FROM {relation} VERSION AS OF {int(row['before'])}").rows
    finally:
        run_query(f"RESET {_OLD_VERSIONS}")
    was = {each["col_name"]: each["data_type"] for each in before}
    return changes(was, dict(columns), declared=_declared(relation, graph), expected=expected)


def _declared(relation: str, graph: Mapping[str, Any]) -> dict[str, str | None]:
    """The columns that the YAML lists, with their types as far as it has them."""
    plain = relation.replace("`", "").lower()
    for node in [*graph["nodes"].values(), *graph["sources"].values()]:
        if (node.get("relation_name") or "").replace("`", "").lower() == plain:
            return {each["name"]: each.get("data_type") for each in node["columns"].values()}
    return {}
