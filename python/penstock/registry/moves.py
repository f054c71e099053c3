"""How an alias has moved: read from the alias table's change feed, so that what moved it can never be missing there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlglot import exp

from penstock.registry.alias_table import version_in
from penstock.registry.versions import Version
from penstock.scoring.functions import ALIASES

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BACK = re.compile(r"rolled back from version (\d+)\b")


@dataclass(frozen=True)
class Move:
    """An alias came to point to another version.

    Attributes:
        commit: The version of the alias table that it made.
        at: When that was.
        version: What the alias has pointed to since, in the state in which that was left.
        reason: Why, in the words of whoever moved it.
    """

    commit: int
    at: datetime
    version: Version
    reason: str

    @property
    def is_back(self) -> bool:
        """Whether it undid an earlier one."""
        return _BACK.match(self.reason) is not None


def reason_of_rollback(version: int, reason: str) -> str:
    """The reason by which a move is known as one that undoes the promotion of a version."""
    return f"rolled back from version {version}{f': {reason}' if reason else ''}"


def moves_of(spark: Any, model: str, alias: str) -> list[Move]:
    """The moves of an alias in order; none where it points to nothing.

    A row that was renewed without another version, as when one becomes isolated, is no move.
    """
    from pyspark.sql import functions as f

    if not spark.catalog.tableExists(ALIASES):
        return []
    match = exp.and_(exp.column("model").eq(model), exp.column("alias").eq(alias)).sql("spark")
    feed = spark.read.option("readChangeFeed", "true").option("startingVersion", 0).table(ALIASES)
    feed = feed.where(match).where("_change_type IN ('insert', 'update_postimage')")
    rows = feed.withColumn("__at", f.unix_micros("_commit_timestamp")).collect()
    moves: list[Move] = []
    for row in sorted(rows, key=lambda each: int(each["_commit_version"])):
        version = version_in(row)
        if moves and moves[-1].version.version == version.version:
            last = moves.pop()
            moves.append(Move(last.commit, last.at, version, last.reason))
        else:
            at = _EPOCH + timedelta(microseconds=row["__at"])
            moves.append(Move(int(row["_commit_version"]), at, version, row["reason"] or ""))
    return moves


def standing(moves: Sequence[Move]) -> list[Move]:
    """The moves that no rollback has undone, in order; the last one made what is live.

    A rollback undoes the last of them, so that one after another lead ever farther back.
    """
    left: list[Move] = []
    for move in moves:
        if move.is_back and len(left) > 1:
            left.pop()
        else:
            left.append(move)
    return left
