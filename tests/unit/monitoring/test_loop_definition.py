"""When a loop starts, as it is declared and as it is found; and that one runs at a time. No Spark."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from penstock.errors import PenstockError
from penstock.monitoring.gates.definition import Gate
from penstock.monitoring.loop import runs
from penstock.monitoring.loop.alone import LoopRuns, alone
from penstock.monitoring.loop.definition import Labels, Loop, parse_loop
from penstock.monitoring.loop.triggers import by_drift, by_labels, by_time

GATE = Gate("delay", "seen", "is_late", "at", "log_loss")
NOW = datetime(2026, 1, 8, 12, tzinfo=UTC)


def test_a_whole_declaration() -> None:
    declared = {"every": "7 days", "labels": 1000, "drift": "no_drift", "upstream": False}
    assert parse_loop(declared, GATE, where="m.yml") == Loop(
        timedelta(days=7), Labels(1000, "seen", "is_late"), "no_drift", upstream=False
    )
    of_others = parse_loop({"labels": {"new": 5, "in": "arrivals", "label": "late"}}, GATE, where="m.yml")
    assert of_others == Loop(labels=Labels(5, "arrivals", "late"))


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ([], r"loop is \[\], not a mapping\n  where: m.yml, loop\n  fix: loop:"),
        ({}, "nothing starts the loop"),
        ({"upstream": True}, "nothing starts the loop"),
        ({"evry": "7 days"}, r"unknown key 'evry'\n.*\n  did you mean: every"),
        ({"every": "1 month"}, "a month has no fixed length"),
        ({"every": 7}, "'7' is no length of time"),
        ({"every": "0 days"}, "every is '0 days'"),
        ({"labels": 0}, "the number of new labels is 0"),
        ({"labels": True}, "the number of new labels is True"),
        ({"labels": {"in": "arrivals"}}, "the number of new labels is None"),
        ({"labels": {"new": 1, "of": "arrivals"}}, "unknown key 'of'"),
        ({"labels": {"new": 1, "in": ""}}, "in is ''"),
        ({"drift": ["a"]}, r"drift is \['a'\]"),
        ({"every": "1 day", "upstream": "no"}, "upstream is 'no'"),
    ],
)
def test_what_is_wrong_is_told_with_where_and_how(declared: Any, said: str) -> None:
    with pytest.raises(PenstockError, match=said) as error:
        parse_loop(declared, GATE, where="m.yml")
    assert error.value.where.startswith("m.yml, loop")


def test_a_loop_needs_a_gate() -> None:
    with pytest.raises(PenstockError, match=r"a loop without a gate\n  where: m.yml, loop\n  fix: gate:"):
        parse_loop({"labels": 1}, None, where="m.yml")


def test_by_time() -> None:
    week = timedelta(days=7)
    due = by_time(week, NOW - week, NOW)
    assert (due.due, due.value, due.bound) == (True, 7.0, 7.0)
    assert not by_time(week, NOW - week + timedelta(seconds=1), NOW).due
    assert by_time(week, NOW - week, NOW).told == "7 days since 2026-01-01 12:00:00+00:00, every 7"


def test_by_labels() -> None:
    asked = Labels(100, "seen", "is_late")
    assert [by_labels(asked, count, 1000).due for count in (1099, 1100)] == [False, True]
    assert by_labels(asked, 1100, 1000).told == "100 labels of seen are new, 100 asked for"
    assert not by_labels(asked, 10, 1000).due, "a table that was built anew from fewer rows"


def test_by_drift() -> None:
    def due(status: str, read: dict[str, int], answered: dict[str, int]) -> bool:
        return by_drift("no_drift", status, 3, read, answered).due

    assert due("fail", {"t": 4}, {"t": 3})
    assert due("warn", {"t": 4}, {})
    assert not due("pass", {"t": 4}, {"t": 3})
    assert not due("fail", {"t": 4}, {"t": 4}), "the last loop has answered to that"
    assert due("fail", {}, {}), "of a view nobody knows"
    told = by_drift("no_drift", "fail", 3, {"t": 4}, {"t": 4}).told
    assert told == "test no_drift: fail, as when the last loop had trained, on the same tables"


def test_one_at_a_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PENSTOCK_HOME", str(tmp_path))
    for _ in range(2):
        with alone("delay"):
            with alone("other"):
                pass
            with pytest.raises(LoopRuns, match=r"runs already, as process \d+\n  where: .*delay.lock"), alone("delay"):
                pass
    with pytest.raises(ZeroDivisionError), alone("delay"):
        raise ZeroDivisionError
    with alone("delay"):
        pass


def test_two_that_follow_the_same_loop_are_the_same() -> None:
    first = runs.Run("delay", runs.PROMOTED, (), NOW, loop_id=runs.id_after("delay", None))
    assert runs.id_after("delay", first) == runs.id_after("delay", first)
    assert len({first.loop_id, runs.id_after("delay", first), runs.id_after("other", None)}) == 3
