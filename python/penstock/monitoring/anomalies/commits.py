"""The same series from the log of a Delta table, which counts rows and NULLs a file: no data is read. Spark alone."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from penstock.errors import InvalidRequestError
from penstock.monitoring.anomalies.series import moment, points
from penstock.monitoring.words import formula, spark_sql, steps, window
from penstock.semantic.durations import parse_duration

_ACTION = (
    "commitInfo STRUCT<timestamp: BIGINT, operationMetrics: MAP<STRING, STRING>>,"
    " add STRUCT<stats: STRING, dataChange: BOOLEAN, deletionVector: STRUCT<cardinality: BIGINT>>"
)
_STATS = "numRecords BIGINT, nullCount MAP<STRING, STRING>"
# Beside commits there are checksums, checkpoints and compacted logs.
_ACTIONS = f"""
SELECT CAST(SUBSTRING(_metadata.file_name, 1, 20) AS BIGINT) AS version, FROM_JSON(value, '{_ACTION}') AS action
FROM log WHERE _metadata.file_name RLIKE '^[0-9]{{20}}[.]json$'
"""
_WRITTEN = """
SELECT version, TIMESTAMP_MILLIS(action.commitInfo.timestamp) AS at,
  COALESCE(
    CAST(action.commitInfo.operationMetrics['numTargetRowsInserted'] AS BIGINT)
      + CAST(action.commitInfo.operationMetrics['numTargetRowsUpdated'] AS BIGINT),
    CAST(action.commitInfo.operationMetrics['numOutputRows'] AS BIGINT)
  ) AS rows_in
FROM actions WHERE NOT action.commitInfo IS NULL
"""
# An add with a deletion vector is a file of before, of which rows were deleted.
_FILES = f"""
SELECT version, FROM_JSON(action.add.stats, '{_STATS}') AS stats
FROM actions WHERE action.add.dataChange AND action.add.deletionVector IS NULL
"""
_COUNTED = """
SELECT version, stats.numRecords AS n, stats.nullCount AS counts, COUNT(*) OVER (PARTITION BY version) AS files
FROM files
"""
_LISTED = "SELECT version, n, files, EXPLODE(counts) AS (column_name, told) FROM counted_files"
# What counts the NULLs of a struct's fields is no number.
_NULLS = """
SELECT l.version, MAX(c.at) AS at, l.column_name, SUM(l.n) AS rows_in, SUM(TRY_CAST(l.told AS BIGINT)) AS nulls_in
FROM listed AS l JOIN commits AS c ON c.version = l.version
GROUP BY l.version, l.column_name HAVING COUNT(TRY_CAST(l.told AS BIGINT)) = MAX(l.files)
"""
# Nobody calls a table late by six minutes that comes each hour, however steadily it comes.
_JITTER = "1e-1"


def series_of_commits(location: str, columns: Sequence[str], *, as_of: str | None = None) -> exp.Select:
    """The rows that each commit wrote, the NULLs of each column in them, and the time between commits.

    Commits that write no rows, such as OPTIMIZE, DELETE or a change of the schema, count nowhere. Of a MERGE the volume
    is what it inserted and updated, and the NULLs are those of the files that it wrote, in which other rows may be. A
    column whose NULLs a file does not tell (Delta counts those of the first 32 columns) has no point of that commit.
    The time since the newest commit is the newest point of `freshness`.

    Args:
        location: Where the table is, as `DESCRIBE DETAIL` has it.
        columns: The columns whose NULLs are looked at.
        as_of: When it is; the time of the query if not given.

    Returns:
        A query of `judge.SERIES` in Spark's SQL; `what` is `volume`, `nulls` or `freshness`.

    Raises:
        InvalidRequestError: The location is none.
    """
    names = [exp.Literal.string(name) for name in columns]
    nulls = exp.select("at", "column_name", "rows_in", "nulls_in").from_("nulls")
    wanted = nulls.where(exp.column("column_name").isin(*names) if names else exp.false())
    volumes = exp.select("at", "'' AS column_name", "rows_in", "0 AS nulls_in").from_("commits")
    told = exp.select("*", "0 AS season").from_(exp.union(volumes, wanted, distinct=False).subquery("counted"))
    gaps = exp.select(
        "'freshness' AS what", "'' AS column_name", "0 AS season", "at",
        "gap AS measure", "LN(gap) AS value", f"{_JITTER} AS noise",
    ).from_("gaps").where("NOT gap IS NULL")  # fmt: skip
    every = exp.union(points("told", is_volume="column_name = ''"), gaps, distinct=False)
    more = {
        "files": _sql(_FILES), "counted_files": _sql(_COUNTED), "listed": _sql(_LISTED), "nulls": _sql(_NULLS),
        "gaps": _gaps(as_of), "told": told,
    }  # fmt: skip
    return steps(exp.select("*").from_(every.subquery("every")), {**_commits(location), **more})


def newest_commit(location: str) -> exp.Select:
    """The query of the time of the newest commit that wrote rows: `newest`, NULL where there is none.

    Raises:
        InvalidRequestError: The location is none.
    """
    return steps(exp.select("MAX(at) AS newest").from_("commits"), _commits(location))


def versions_around(location: str, window: str) -> exp.Select:
    """The query of the table's `newest` version, and of the one `before` a window of time until now; or its oldest.

    Args:
        location: Where the table is.
        window: A length of time such as `1 day`.

    Raises:
        InvalidRequestError: The location, or the window, is none.
    """
    length = parse_duration(window, where="schema_window").microseconds
    start = formula(
        ":now - :length",
        now=_sql("SELECT UNIX_MILLIS(CURRENT_TIMESTAMP())").expressions[0],
        length=exp.Literal.number(length // 1000),
    )
    millis = exp.column("timestamp", "commitInfo", "action")
    before = formula("COALESCE(MAX(CASE WHEN :at <= :start THEN version END), MIN(version))", at=millis, start=start)
    query = exp.select("MAX(version) AS newest", exp.alias_(before, "before")).from_("actions")
    return steps(query.where("NOT action.commitInfo IS NULL"), {"actions": _commits(location)["actions"]})


def _commits(location: str) -> dict[str, exp.Query]:
    if not location.strip():
        raise InvalidRequestError("it is not told where the table is", where="location", fix="dbt build it")
    log = exp.table_(f"{location.rstrip('/')}/_delta_log/*.json", db="text", quoted=True)
    actions = _sql(_ACTIONS)
    actions.set("from_", exp.From(this=log))
    written = _sql(_WRITTEN)
    commits = exp.select("*").from_(written.subquery("written")).where("NOT rows_in IS NULL")
    return {"actions": actions, "commits": commits}


def _gaps(as_of: str | None) -> exp.Select:
    """The seconds from each commit to the next, and from the newest until now."""
    now = exp.select(exp.alias_(moment(as_of), "at"), "TRUE AS is_now")
    commits = exp.select("at", "FALSE AS is_now").from_("commits")
    both = exp.union(commits, now, distinct=False)
    by_time = exp.Ordered(this=exp.column("at"), nulls_first=True)
    before = exp.alias_(window("LAG(at)", (), by_time), "before")
    # GREATEST passes NULL over.
    seconds = "GREATEST(1e0, (UNIX_MICROS(at) - UNIX_MICROS(before)) / 1e6)"
    gap = _sql(f"SELECT CASE WHEN NOT before IS NULL THEN {seconds} END AS gap").expressions[0]
    # As of a time in the past, later commits are not known yet.
    known = exp.select("*", exp.alias_(window("MAX(CASE WHEN is_now THEN at END)", ()), "now")).from_(
        both.subquery("both")
    )
    return exp.select("at", gap).from_(
        exp.select("at", before).from_(known.subquery("known")).where("at <= now").subquery("following")
    )


def _sql(text: str) -> exp.Select:
    query = spark_sql(text)
    assert isinstance(query, exp.Select)
    return query
