"""What starts a loop, each with what was found and what is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from penstock.monitoring.loop.definition import Labels

FIRST, TIME, LABELS, DRIFT, ASKED = "first", "time", "labels", "drift", "asked"
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Trigger:
    """One thing that may start a loop.

    Attributes:
        kind: `first`, `time`, `labels`, `drift` or `asked`.
        due: Whether it starts the loop.
        value: The number that was found, where it is one: days, labels, rows that the test of drift returns.
        bound: From which number on it is due.
        told: The same in words.
    """

    kind: str
    due: bool
    value: float | None
    bound: float | None
    told: str


def first() -> Trigger:
    """There is no version yet."""
    return Trigger(FIRST, True, None, None, "no version has been trained")


def by_time(every: timedelta, since: datetime, now: datetime) -> Trigger:
    """Whether it is long enough since the model was trained, or a loop looked whether it has to be.

    Args:
        every: How long.
        since: When that was, with its zone.
        now: The present, with its zone.
    """
    bound = every / _DAY
    days = (now - since) / _DAY
    told = f"{days:.4g} days since {since.isoformat(' ', 'seconds')}, every {bound:.4g}"
    return Trigger(TIME, now - since >= every, days, bound, told)


def by_labels(labels: Labels, count: int, before: int) -> Trigger:
    """Whether enough labels are new.

    Args:
        labels: How many have to be.
        count: How many there are.
        before: How many there were when the last loop had built the table; 0 where there was none.
    """
    new = count - before
    told = f"{new:,} labels of {labels.relation} are new, {labels.new:,} asked for"
    return Trigger(LABELS, new >= labels.new, new, labels.new, told)


def by_drift(
    test: str, status: str, failures: int | None, read: Mapping[str, int], answered: Mapping[str, int]
) -> Trigger:
    """Whether the data have drifted since the last loop looked.

    A test that fails on the tables that the last loop has answered to starts no second one, which would find the same.

    Args:
        test: The dbt test.
        status: What came of it.
        failures: How many rows it returned.
        read: The Delta version of each table that it reads.
        answered: The same at the last loop; empty where there was none, or it read no such table.
    """
    drifted = status in ("fail", "warn")
    same = bool(read) and dict(read) == dict(answered)
    told = f"test {test}: {status}" + (
        ", as when the last loop had trained, on the same tables" if drifted and same else ""
    )
    return Trigger(DRIFT, drifted and not same, failures, None, told)


def asked() -> Trigger:
    """Somebody wants it now."""
    return Trigger(ASKED, True, None, None, "asked for by --now")
