"""Rows that are added to a table of the record once, however often and by however many writers they are handed in."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import sleep
from typing import Any, TypeVar

from penstock.errors import EnvironmentProblem, InvalidRequestError, PenstockError
from penstock.monitoring.record.ids import entity_sql
from penstock.monitoring.record.incoming import UNFIT
from penstock.monitoring.record.tables import Column, Table, ensure
from penstock.scoring.functions import quoted

Done = TypeVar("Done")
# Of writers at once one commits each time, so that many tries serve many writers.
_TRIES = 30
_JSON = "MAP('timestampFormat', 'yyyy-MM-dd HH:mm:ss.SSSSSS')"  # by default it cuts microseconds off


@dataclass(frozen=True)
class Rule:
    """What no row may be.

    Attributes:
        broken: SQL that is true of a row that is refused.
        what: What is wrong with it, for people.
        fix: What to do about it.
        shown: SQL of what is shown of such a row.
    """

    broken: str
    what: str
    fix: str
    shown: str = "__content"


def append_new(
    table: Table,
    batch: Any,
    *,
    rules: Sequence[Rule] = (),
    filled: Sequence[str] = (),
    bounded: bool = True,
    check: Callable[[set[tuple[str, int]]], None] | None = None,
) -> int:
    """Add the rows whose key the table does not have, in one commit; none where there are none.

    Delta ends a MERGE when another writer has added to the table since it began, and it is begun again. Of two writers
    that log other content under one key at the same moment, the first is kept.

    Args:
        table: The table, which is there.
        batch: A DataFrame with its columns, as `incoming` makes it.
        rules: What no row may be, besides being without a value that is required.
        filled: Columns that the caller has not given, and that tell nothing about whether a row is the same.
        bounded: Whether rows of one key are of one time, so that only files of the batch's times are looked at.
        check: Looks at the models and versions of the batch, before anything is written.

    Returns:
        How many rows were added.

    Raises:
        InvalidRequestError: when rows are refused, or have the key of a row with other content; nothing is written.
        EnvironmentProblem: when other writers were always faster.
    """
    spark = batch.sparkSession
    batch = batch.withColumn("__content", _expr(_content(table, filled))).persist()
    try:
        found = _checked(table, batch, rules, check is not None)
        if not found["n"]:
            return 0
        if check is not None:
            check({(each["model"], each["version"]) for each in found["versions"]})
        same = " AND ".join(f"held.{quoted(each)} = new.{quoted(each)}" for each in table.key)
        if bounded:
            time = f"held.{quoted(table.time)}"
            same += f" AND {time} BETWEEN TIMESTAMP_MICROS({found['first']}) AND TIMESTAMP_MICROS({found['last']})"
        rows = batch.dropDuplicates(list(table.key))
        return retried(table.name, lambda: _merge(spark, table, rows, same, filled))
    finally:
        batch.unpersist()


def retried(table: str, action: Callable[[], Done]) -> Done:
    """Do something to a table again, as long as other writers come between."""
    from delta import exceptions as told

    # Delta's own base class is that of none of them in Python.
    conflicts = (
        told.ConcurrentAppendException,
        told.ConcurrentDeleteDeleteException,
        told.ConcurrentDeleteReadException,
        told.ConcurrentTransactionException,
        told.ConcurrentWriteException,
        told.DeltaConcurrentModificationException,
        told.MetadataChangedException,
        told.ProtocolChangedException,
    )
    for attempt in range(_TRIES):
        try:
            return action()
        except conflicts:
            # They would come between again if all waited equally long.
            sleep(random.uniform(0, min(2.0, 0.05 * 2**attempt)))
    raise EnvironmentProblem(
        f"{_TRIES} times somebody else wrote at the same moment",
        where=table,
        fix="log larger batches from fewer writers; logging the same rows again does no harm",
    )


def insert_once(spark: Any, table: Table, rows: Any) -> None:
    """Add the rows whose key a table does not have, in one commit, or none; the table is made if it is not there.

    For rows of ours, whose key is an id of all that they follow from: whoever writes the same at this moment finds the
    same, but for the last digits of sums, and the first is kept.

    Args:
        spark: A session.
        table: The table.
        rows: A DataFrame of its columns, but for the times, which become that of the writing.
    """
    from delta.tables import DeltaTable

    ensure(spark, table)
    if rows.join(spark.table(table.name), list(table.key), "left_anti").isEmpty():  # a MERGE would commit nothing
        return
    for each in table.columns:
        if each.name not in rows.columns:
            rows = rows.withColumn(each.name, _expr("CURRENT_TIMESTAMP()"))
    same = " AND ".join(f"held.{quoted(each)} = new.{quoted(each)}" for each in table.key)

    def insert() -> None:
        merge = DeltaTable.forName(spark, table.name).alias("held").merge(rows.alias("new"), same)
        merge.whenNotMatchedInsertAll().execute()

    retried(table.name, insert)


def _merge(spark: Any, table: Table, rows: Any, same: str, filled: Sequence[str]) -> int:
    from delta.tables import DeltaTable

    held = spark.table(table.name).withColumn("__content", _expr(_content(table, filled))).alias("held")
    key = ", ".join(f"new.{quoted(each)}" for each in table.key)
    found = (
        rows.alias("new")
        .join(held, _expr(same), "left")
        .selectExpr(
            "COUNT_IF(held.__content IS NULL) AS n",
            f"MIN(IF(held.__content <> new.__content, STRUCT({key}), NULL)) AS other",
        )
        .first()
    )
    if found["other"] is not None:
        raise _differing(table, found["other"], "is in the table with other content")
    if not found["n"]:  # a MERGE would find the same, at several times the price
        return 0
    merge = DeltaTable.forName(spark, table.name).alias("held").merge(rows.alias("new"), same)
    # Column by column: the table may have been given further ones meanwhile.
    values = {quoted(each.name): f"new.{quoted(each.name)}" for each in table.columns}
    told = merge.whenNotMatchedInsert(values=values).execute().first()
    return int(told["num_inserted_rows"])


def _checked(table: Table, batch: Any, rules: Sequence[Rule], versions: bool) -> Any:
    """What the batch has, found in one job: `first` and `last` time in microseconds, `n` rows, and its `versions`."""
    required = [
        Rule(f"{quoted(each.name)} IS NULL", f"has no {each.name}", f"each row needs it: {each.comment}")
        for each in table.columns
        if each.required
    ]
    fix = "give one that its type holds, or widen a feature by evolve"
    fits = Rule(f"{UNFIT} IS NOT NULL", "has a number that is too large for its column", fix, UNFIT)
    every = (fits, *required, *rules)
    key = ", ".join(map(quoted, table.key))
    time = f"UNIX_MICROS({quoted(table.time)})"
    tests = [f"COUNT_IF({rule.broken}) AS n{i}" for i, rule in enumerate(every)]
    tests += [f"MIN(IF({rule.broken}, {rule.shown}, NULL)) AS x{i}" for i, rule in enumerate(every)]
    tests += [f"COUNT(DISTINCT {key}) AS keys", f"COUNT(DISTINCT {key}, __content) AS contents"]
    tests += ["COLLECT_SET(STRUCT(model, version)) AS versions"] if versions else []
    found = batch.selectExpr("COUNT(*) AS n", f"MIN({time}) AS first", f"MAX({time}) AS last", *tests).first()
    for i, rule in enumerate(every):
        if count := found[f"n{i}"]:
            raise InvalidRequestError(
                f"a row {rule.what}: {found[f'x{i}']}{f' (and {count - 1} more)' if count > 1 else ''}",
                where=f"rows for {table.name}",
                fix=rule.fix,
            )
    if found["keys"] < found["contents"]:
        twice = batch.groupBy(*table.key).agg(_expr("COUNT(DISTINCT __content) AS contents")).where("contents > 1")
        raise _differing(table, twice.first(), "comes twice with different content")
    return found


def _differing(table: Table, example: Sequence[str], what: str) -> PenstockError:
    return InvalidRequestError(
        f"{table.key[0]} {example[0]} {what}",
        where=f"rows for {table.name}",
        fix="rows are never changed: log what happened first once; a correction is a row of its own",
    )


def _content(table: Table, filled: Sequence[str]) -> str:
    """All that a row says, as text that compares."""
    told = [each for each in table.columns if each.name not in {"logged_at", *filled}]
    named = (f"{_comparing(each)} AS {quoted(each.name)}" for each in told)
    return f"TO_JSON(STRUCT({', '.join(named)}), {_JSON})"


def _comparing(column: Column) -> str:
    if column.type.upper().startswith("MAP"):
        return entity_sql(quoted(column.name))
    # The table may have a wider type by now, which is written in another way.
    return f"TRY_CAST({quoted(column.name)} AS {column.type})"


def _expr(text: str) -> Any:
    from pyspark.sql.functions import expr

    return expr(text)
