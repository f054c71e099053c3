"""The queries of models of edges, tiles and drift: what their SQL needs to know, which the warehouse knows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from dbt_common.exceptions import DbtRuntimeError
from sqlglot import exp, parse_one

from penstock.errors import InvalidRequestError, UnknownNameError
from penstock.monitoring.discovery import adjusted
from penstock.monitoring.drift import Baseline, Feature, Tiling, Window, drift, edges, moving, tiles
from penstock.monitoring.drift.explode import NUMBER, TEXT, Kind
from penstock.monitoring.drift.root_cause import root_cause
from penstock.monitoring.drift.tile_changes import added, changed_rows, difference, if_next, training_rows
from penstock.monitoring.drift.windows import SERIES
from penstock.scoring.functions import ALIASES, literal
from penstock.semantic.durations import parse_duration
from penstock.semantic.time_range import moment_of

_NUMBERS = ("tinyint", "smallint", "int", "bigint", "float", "double", "decimal")
_TEXTS = ("string", "varchar", "char", "boolean")
_NOTHING = "SELECT * FROM {} WHERE FALSE"


def edges_sql(
    relation: Any, columns: Sequence[Any], asked: Mapping[str, Any], built: str | None, run_query: Any
) -> str:
    """The query of a model of edges; those that are there are kept while what is asked for stays the same.

    Args:
        relation: dbt's, of the baseline.
        columns: dbt's, of that relation.
        asked: The arguments of the macro: `features`, `leave_out`, `bins`, `values`, `levels`.
        built: The model's table, if there is one to be kept.
        run_query: dbt's macro.

    Raises:
        UnknownNameError: when there is no such column.
        InvalidRequestError: when a column is neither number nor text, or the baseline has no version.
    """
    _, version = _state(relation, run_query)
    if version is None and relation.limit is None:
        raise InvalidRequestError(
            "the baseline is no Delta table, so that nothing says which rows its edges are of",
            where=f"penstock.edges of {relation}",
            fix="materialize it as a table",
        )
    baseline = Baseline(
        _at(relation, version),
        _kinds(columns, asked["features"], asked["leave_out"], str(relation)),
        name=str(relation),
        version=version,
        **{name: int(asked[name]) for name in ("bins", "values", "levels")},
    )
    if built is not None:
        [row] = run_query(f"SELECT MAX(edges_id) AS edges_id FROM {built}").rows
        if str(row["edges_id"]).partition("-")[0] == baseline.asked:
            return f"SELECT * FROM {built}"
    return edges(baseline, "spark").sql("spark", pretty=True)


def tiles_sql(relation: Any, edges_table: Any, asked: Mapping[str, Any], built: str | None, run_query: Any) -> str:
    """The query of what an incremental model of tiles adds.

    Args:
        relation: dbt's, of the table whose rows are counted.
        edges_table: dbt's, of the edges.
        asked: The arguments of the macro: `time`, `bucket`, `version`, `segments`.
        built: The model's table, if this run adds to it.
        run_query: dbt's macro.

    Raises:
        PenstockError: when what is asked for has no answer.
    """
    tiling = _tiling(edges_table, asked, run_query)
    id_, version = _state(relation, run_query)
    # Tiles by other segments or buckets are not those of before: then, too, the difference is added.
    counted = f"{tiling.bucket} of {tiling.time}, by {', '.join(tiling.segments) or 'nothing'}"
    source = None if id_ is None else f"{id_}: {counted}"
    whole = _at(relation, version)
    if built is None:
        return _text(added(tiles(whole, tiling, "spark"), 1, source, version))
    [held] = run_query(
        "SELECT MAX(run) AS run, MAX_BY(source, run) AS source, MAX_BY(source_version, run) AS version"
        f" FROM {built} WHERE edges_id = {literal(tiling.edges_id)}"
    ).rows
    run = int(held["run"] or 0) + 1
    query = difference(whole, tiling, built) if run > 1 else tiles(whole, tiling, "spark")
    if source is not None and version is not None and held["source"] == source:
        first = int(held["version"]) + 1
        if first == version + 1:
            return _NOTHING.format(built)
        told = _changes(str(relation), first, version, run_query) if first <= version else None
        if told == 0:
            return _NOTHING.format(built)
        if told is not None:
            query = tiles(changed_rows(str(relation), first, version), tiling, "spark", sign="sign")
    return _text(if_next(added(query, run, source, version), built, tiling.edges_id, run))


def baseline_sql(training: Any, edges_table: Any, asked: Mapping[str, Any], built: str | None, run_query: Any) -> str:
    """The query of the tiles of the training sets of the versions that have an alias, but for those that are built.

    Args:
        training: dbt's, of a training node's table: one row a version, with the training set and its Delta version.
        edges_table: dbt's, of the edges.
        asked: The arguments of the macro: `segments`.
        built: The model's table, if this run adds to it.
        run_query: dbt's macro.

    Raises:
        PenstockError: when what is asked for has no answer.
    """
    tiling = _tiling(edges_table, {**asked, "time": None, "bucket": "day", "version": "version"}, run_query)
    done, run = "", 1
    if built is not None:
        held = f"FROM {built} WHERE edges_id = {literal(tiling.edges_id)}"
        done = f" AND t.version NOT IN (SELECT version {held})"
        run += int(run_query(f"SELECT COALESCE(MAX(run), 0) AS run {held}").rows[0]["run"])
    found = run_query(
        f"SELECT DISTINCT t.version, t.training_set, t.training_set_version FROM {training} AS t"
        f" JOIN {ALIASES} AS a ON a.model = t.model AND a.version = t.version WHERE TRUE{done} ORDER BY t.version"
    )
    sets = {int(row["version"]): (str(row["training_set"]), int(row["training_set_version"])) for row in found.rows}
    if not sets:
        if built is not None:
            return _NOTHING.format(built)
        raise InvalidRequestError(
            "no version has an alias", where=f"penstock.baseline_tiles of {training}", fix="train or promote one"
        )
    columns = dict.fromkeys([*(feature.name for feature in tiling.features), *tiling.segments])
    query = added(tiles(training_rows(sets, tuple(columns)), tiling, "spark"), run)
    return _text(query if built is None else if_next(query, built, tiling.edges_id, run))


def drift_sql(tiles_table: Any, baseline: Any, edges_table: Any, asked: Mapping[str, Any], run_query: Any) -> str:
    """The query of a model of drift: a row a feature, segment and window.

    Args:
        tiles_table: dbt's, of the tiles.
        baseline: dbt's, of the tiles that they are compared with.
        edges_table: dbt's, of the edges.
        asked: The arguments of the macro: `window`, `bucket`, `p`, `smoothing`.
        run_query: dbt's macro.

    Raises:
        PenstockError: when what is asked for has no answer.
    """
    edges_id = _edges_id(edges_table, run_query)
    histograms = moving(
        str(edges_table),
        Window(str(baseline), edges_id),
        Window(str(tiles_table), edges_id),
        "spark",
        size=_buckets(asked["window"], asked["bucket"]),
        bucket=asked["bucket"],
        keys=_series(tiles_table, run_query),
    )
    rows = drift(histograms, "spark", smoothing=asked["smoothing"])
    return _text(adjusted(rows, "spark", p=asked["p"], by=["window_end"]))


def root_cause_sql(tiles_table: Any, edges_table: Any, asked: Mapping[str, Any], run_query: Any) -> str:
    """The query of a model of root causes: a row a feature and segment, with its greatest change.

    Args:
        tiles_table: dbt's, of the tiles.
        edges_table: dbt's, of the edges.
        asked: The arguments of the macro: `shape`, `since`, `until`.
        run_query: dbt's macro.

    Raises:
        PenstockError: when what is asked for has no answer.
    """
    between = {
        name: None if asked[given] is None else moment_of(str(asked[given]), where=given)
        for name, given in (("start", "since"), ("end", "until"))
    }
    counted = Window(str(tiles_table), _edges_id(edges_table, run_query), **between)
    return _text(root_cause(counted, "spark", shape=asked["shape"], keys=_series(tiles_table, run_query)))


def _series(tiles_table: Any, run_query: Any) -> tuple[str, ...]:
    """The columns that tell the series of tiles apart."""
    named = [name for name in run_query(f"SELECT * FROM {tiles_table} LIMIT 0").column_names if name == "version"]
    return (*named, *SERIES)


def _text(query: exp.Query) -> str:
    return query.sql("spark", pretty=True)


def _buckets(window: str, bucket: str) -> int:
    """How many buckets are in a window."""
    if bucket == "month" and (parts := str(window).split())[1:] in (["month"], ["months"]):
        return int(parts[0])
    length, one = parse_duration(str(window), where="window"), parse_duration(f"1 {bucket}", where="bucket")
    if length.microseconds % one.microseconds:
        raise InvalidRequestError(
            f"a window of {window} is no whole number of buckets of a {bucket}",
            where="window",
            fix="tiles of smaller buckets have such windows",
        )
    return length.microseconds // one.microseconds


def _kinds(columns: Sequence[Any], features: Any, leave_out: Any, where: str) -> dict[str, Kind]:
    """The kind of each feature: of those that are named, or of all columns that are numbers or texts."""
    kinds = {each.name: _kind(each.dtype) for each in columns}
    names = {name.lower(): name for name in kinds}
    asked = list(features) if features is not None else [name for name, kind in kinds.items() if kind is not None]
    for name in (*asked, *leave_out):
        if name.lower() not in names:
            raise UnknownNameError.of("column", name, kinds, where=where)
    left = {name.lower() for name in leave_out}
    found: dict[str, Kind] = {}
    for name in (names[each.lower()] for each in asked if each.lower() not in left):
        kind = kinds[name]
        if kind is None:
            raise InvalidRequestError(
                f"column '{name}' is neither a number nor a text",
                where=where,
                fix="leave it out, or make a number of it in the model under it: of a time, what passed since another",
            )
        found[name] = kind
    return found


def _kind(dtype: str) -> Kind | None:
    name = dtype.lower().partition("(")[0]
    return NUMBER if name in _NUMBERS else TEXT if name in _TEXTS else None


def _tiling(edges_table: Any, asked: Mapping[str, Any], run_query: Any) -> Tiling:
    bins = run_query(
        "SELECT edges_id, feature, kind, MAX(bin) + 1 AS bins,"
        " TO_JSON(TRANSFORM(SORT_ARRAY(COLLECT_LIST(CASE WHEN NOT level IS NULL THEN STRUCT(bin, level) END)),"
        f" b -> b.level)) AS levels FROM {edges_table} GROUP BY edges_id, feature, kind ORDER BY feature"
    ).rows
    features = tuple(
        Feature(str(row["feature"]), row["kind"], int(row["bins"]), tuple(json.loads(row["levels"]))) for row in bins
    )
    return Tiling(
        str(edges_table),
        str(bins[0]["edges_id"]) if bins else "",
        features,
        time=asked["time"],
        bucket=asked["bucket"],
        version=asked["version"],
        segments=tuple(asked["segments"]),
    )


def _edges_id(edges_table: Any, run_query: Any) -> str:
    return str(run_query(f"SELECT MAX(edges_id) AS edges_id FROM {edges_table}").rows[0]["edges_id"])


def _state(relation: Any, run_query: Any) -> tuple[str | None, int | None]:
    """The id and the version of a Delta table; None of anything else."""
    # With `--empty` a subquery stands for the table.
    if relation.limit is not None:
        return None, None
    told = {row[0]: row[1] for row in run_query(f"DESCRIBE TABLE EXTENDED {relation}").rows}
    if told.get("Provider") != "delta":
        return None, None
    # Delta's own statements take no bare name that is a word of theirs, such as history.
    table = ".".join(f"`{part.strip('`')}`" for part in str(relation).split("."))
    id_ = run_query(f"DESCRIBE DETAIL {table}").rows[0]["id"]
    return str(id_), int(run_query(f"DESCRIBE HISTORY {table} LIMIT 1").rows[0]["version"])


def _at(relation: Any, version: int | None) -> exp.Query:
    pinned = "" if version is None else f" VERSION AS OF {version}"
    query = parse_one(f"SELECT * FROM {relation}{pinned}", dialect="spark")
    assert isinstance(query, exp.Select)
    return query


def _changes(relation: str, first: int, last: int, run_query: Any) -> int | None:
    """How many rows came or went; None where the feed does not tell."""
    try:
        query = f"SELECT COUNT(*) AS n FROM TABLE_CHANGES({literal(relation)}, {first}, {last})"
        return int(run_query(query).rows[0]["n"])
    except DbtRuntimeError:
        return None
