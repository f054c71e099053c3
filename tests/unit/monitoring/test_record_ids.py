"""The id of a prediction follows from what it names, and from that alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from penstock.errors import PenstockError
from penstock.monitoring.record.ids import prediction_id

AT = datetime(2026, 1, 1, 12, 30, 0, 1, tzinfo=UTC)


def test_the_same_prediction_has_one_id() -> None:
    first = prediction_id("delay", 3, {"carrier": "AA", "flight": 7}, AT, "r1")
    elsewhere = AT.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert prediction_id("delay", 3, {"flight": "7", "carrier": "AA"}, elsewhere, "r1") == first


def test_another_prediction_has_another() -> None:
    others = [
        prediction_id("delay", 3, {"a": "x", "b": "y"}, AT, "r1"),
        prediction_id("delay", 3, {"a": "x", "b": "y"}, AT, None),
        prediction_id("delay", 3, {"a": "x", "b": "y"}, AT, ""),
        prediction_id("delay", 3, {"a": "x", "b": "y"}, AT, "-"),
        prediction_id("delay", 3, {"a": "x", "b": "y"}, AT + timedelta(microseconds=1), "r1"),
        prediction_id("delay", 3, {"a": "x1:b1:y"}, AT, "r1"),
        prediction_id("delay", 3, {"a": "y", "b": "x"}, AT, "r1"),
        prediction_id("delay", 33, {"a": "x", "b": "y"}, AT, "r1"),
        prediction_id("delay3", 3, {"a": "x", "b": "y"}, AT, "r1"),
    ]
    assert len(set(others)) == len(others)


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(PenstockError, match=r"has no time zone[\s\S]*tzinfo=UTC"):
        prediction_id("delay", 3, {"a": "x"}, AT.replace(tzinfo=None))
