"""Splits by time, by entity and by hash against the same said in Python."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime, timedelta
from random import Random
from typing import Any

import pytest
from examples import (
    SHARES,
    SPINE,
    START,
    Row,
    asked,
    database,
    number,
    ordered,
    random_events,
    random_examples,
    without,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.errors import InvalidRequestError, PenstockError, UnknownNameError
from penstock.training_sets import EntitySplit, HashSplit, Spine, TimeSplit


def _by_time(at: datetime | None, test: datetime, validation: datetime | None, gap: timedelta) -> str | None:
    if at is None or test - gap <= at < test or (validation and validation - gap <= at < validation):
        return None
    if at >= test:
        return "test"
    return "validation" if validation and at >= validation else "train"


def _by_hash(values: list[Any], seed: int) -> str:
    drawn = number(values, "split", seed)
    return "train" if drawn < 0.6 * 2**60 else "validation" if drawn < 0.75 * 2**60 else "test"


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return random_examples(Random(1), 600, things=40, places=60)


@settings(max_examples=15, deadline=None, derandomize=True, database=None)
@given(
    test=st.integers(60, 200),
    before=st.none() | st.integers(1, 59),
    gap=st.integers(0, 40),
    seed=st.integers(0, 3),
)
def test_by_time(test: int, before: int | None, gap: int, seed: int) -> None:
    rows = random_examples(Random(seed), 150)
    border = START + timedelta(hours=test)
    validation = None if before is None else border - timedelta(hours=gap + before)
    split = TimeSplit(border, validation, f"{gap} hours")
    expected = [{**row, "split": _by_time(row["at"], border, validation, timedelta(hours=gap))} for row in rows]
    assert ordered(without(asked(database(rows), split=split), "place__total__to_date")) == ordered(expected)


@pytest.mark.parametrize(
    ("test_from", "hour"),
    [
        ("2020-01-05", 0),
        (date(2020, 1, 5), 0),
        ("2020-01-05 06:00", 6),
        ("2020-01-05T06:00:00Z", 6),
        ("2020-01-05 08:00+02:00", 6),
        (datetime(2020, 1, 5, 6), 6),
    ],
)
def test_the_instant_of_a_border_is_in_utc(rows: list[Row], test_from: Any, hour: int) -> None:
    border = datetime(2020, 1, 5, hour)
    at = [*(border + timedelta(microseconds=n) for n in (-1, 0)), None]
    found = asked(database([{**rows[0], "id": i, "at": t} for i, t in enumerate(at)]), split=TimeSplit(test_from))
    assert {row["id"]: row["split"] for row in found} == {0: "train", 1: "test", 2: None}


def test_by_entity(rows: list[Row]) -> None:
    found = asked(database(rows), split=EntitySplit("place", SHARES, seed=7, name="part"))
    expected = [{**row, "part": row["place"] and _by_hash([row["place"]], 7)} for row in rows]
    assert ordered(without(found, "place__total__to_date")) == ordered(expected)
    parts = defaultdict(set)
    for row in found:
        parts[row["place"]].add(row["part"])
    assert all(len(p) == 1 for p in parts.values())
    assert parts[None] == {None}
    assert set.union(*parts.values()) == {"train", "validation", "test", None}


def test_by_hash(rows: list[Row]) -> None:
    columns = ("thing", "day", "late", "at")
    found = asked(database(rows), split=HashSplit(columns, SHARES, seed=3))
    expected = [{**row, "split": _by_hash([row[c] for c in columns], 3)} for row in rows]
    assert ordered(without(found, "place__total__to_date")) == ordered(expected)


@pytest.mark.parametrize("seed", range(5))
def test_parts_are_as_large_as_their_shares(seed: int) -> None:
    rows = [{"id": i, "thing": "t", "place": "p", "at": START, "late": 0, "day": None} for i in range(4000)]
    found = asked(database(rows), split=HashSplit(("id",), SHARES, seed=seed))
    for name, share in SHARES.items():
        p = float(share)
        assert abs(sum(row["split"] == name for row in found) - 4000 * p) < 4 * (4000 * p * (1 - p)) ** 0.5


@pytest.mark.parametrize("split", [HashSplit(("id",), SHARES), EntitySplit("place", SHARES), TimeSplit("2020-01-04")])
def test_new_rows_move_none(rows: list[Row], split: Any) -> None:
    more = [{**row, "id": row["id"] + 10_000, "place": f"q{row['id']}"} for row in rows]
    before, after = asked(database(rows), split=split), asked(database([*more, *reversed(rows)]), split=split)
    assert ordered(before) == ordered(row for row in after if row["id"] < 10_000)


@pytest.mark.parametrize("columns", [(), ("id", "place", "late")])
def test_features_are_what_they_are_without_a_split(rows: list[Row], columns: tuple[str, ...]) -> None:
    spine = Spine(SPINE.relation, SPINE.at, SPINE.entities, columns)
    connection = database(rows, events=random_events(Random(2), 400, places=60))
    found = asked(connection, spine=spine, split=EntitySplit("place", SHARES))
    assert ordered(without(found, "split")) == ordered(asked(connection, spine=spine))
    assert list(found[0]) == [*(columns or rows[0]), "split", "place__total__to_date"]
    assert any(row["place__total__to_date"] for row in found)


def _refused(split: Any, *, spine: Spine = SPINE, **more: Any) -> PenstockError:
    from worlds import manifest

    from penstock.training_sets import TrainingSetRequest, compile_training_set

    with pytest.raises(PenstockError) as error:
        compile_training_set(manifest(), TrainingSetRequest(spine, ("place.total to date",), split=split, **more))
    assert error.value.where
    return error.value


@pytest.mark.parametrize(
    ("split", "what"),
    [
        (TimeSplit("soon"), "test_from must be a date or a time, not 'soon'"),
        (TimeSplit("2020-02-30"), "test_from must be a date or a time"),
        (TimeSplit(7), "test_from must be a date or a time, not 7"),  # type: ignore[arg-type]
        (TimeSplit("2020-01-05", validation_from="2020-01-06"), "no row can be for validation"),
        (TimeSplit("2020-01-05", validation_from="2020-01-04", gap="1 day"), "with a gap of 1 day before it"),
        (TimeSplit("2020-01-05", gap="-7 days"), "'-7 days' is no length of time"),
        (TimeSplit("2020-01-05", gap="1 month"), "a month has no fixed length"),
        (TimeSplit("2020-01-05", gap=7), "gap must be a text"),  # type: ignore[arg-type]
        (TimeSplit("2020-01-05", name="a b"), "'a b' is no name of a column"),
        (EntitySplit("place", {"train": 1}), "at least two names"),
        (EntitySplit("place", {"train": 0.8, "test": 0.3}), "do not add up to 1: 0.8 + 0.3"),
        (EntitySplit("place", {"train": "1/3", "test": "2/3"}), "the share of 'train' must be a number, not '1/3'"),
        (EntitySplit("place", {"train": 1.2, "test": -0.2}), "the share of 'train' is 1.2"),
        (EntitySplit("place", {"train": 1, "test": 0}), "the share of 'test' is 0"),
        (EntitySplit("place", {"train": float("nan"), "test": 1}), "must be a number, not nan"),
        (EntitySplit("place", {"train": True, "test": 0.5}), "must be a number, not True"),
        (EntitySplit("place", {"": 0.5, "test": 0.5}), "a name of a share must be a text"),
        (EntitySplit("place", SHARES, seed="x"), "seed must be a whole number, not 'x'"),  # type: ignore[arg-type]
        (EntitySplit("place", SHARES, seed=True), "seed must be a whole number, not True"),
        (HashSplit((), SHARES), "columns must be a list of at least one text"),
        (HashSplit("id", SHARES), "columns must be a list of at least one text"),  # type: ignore[arg-type]
    ],
)
def test_mistakes(split: Any, what: str) -> None:
    error = _refused(split)
    assert isinstance(error, InvalidRequestError)
    assert what in error.what
    assert error.fix


def test_shares_are_as_they_are_written() -> None:
    """As doubles, 0.7 + 0.2 + 0.1 is less than 1."""
    found = asked(database(random_examples(Random(1), 50)), split=HashSplit(("id",), {"a": 0.7, "b": 0.2, "c": 0.1}))
    assert {row["split"] for row in found} == {"a", "b", "c"}


def test_unknown_names() -> None:
    error = _refused(EntitySplit("plce", SHARES))
    assert isinstance(error, UnknownNameError)
    assert (error.what, error.near[0]) == ("unknown entity 'plce'", "place")
    types = {"examples": {"id": "int", "thing": "string", "place": "string", "at": "timestamp", "price": "double"}}
    error = _refused(HashSplit(("idd",), SHARES), types=types)
    assert (error.what, error.near, error.where) == ("unknown column 'idd'", ("id",), "split")
    query = Spine("SELECT id, thing, place, at FROM examples", at="at", entities=SPINE.entities)
    assert _refused(HashSplit(("day",), SHARES), spine=query).what == "unknown column 'day'"
    assert "has no stable hash" in _refused(HashSplit(("price",), SHARES), types=types).what


@pytest.mark.parametrize("relation", ["SELECT *, 1 AS one FROM examples", "examples", "SELECT e.* FROM examples AS e"])
def test_columns_that_are_not_known_are_left_to_the_engine(relation: str) -> None:
    spine = Spine(relation, at="at", entities=SPINE.entities)
    found = asked(database(random_examples(Random(1), 50)), spine=spine, split=HashSplit(("DAY",), SHARES))
    assert {row["split"] for row in found} == set(SHARES)


def test_the_new_column_is_new() -> None:
    types = {"examples": {"id": "int", "thing": "string", "place": "string", "at": "timestamp", "Split": "string"}}
    assert "two columns would be called 'split'" in _refused(EntitySplit("place", SHARES), types=types).what
    spine = Spine("examples", at="at", entities=SPINE.entities, columns=("id", "part"))
    assert "'Part'" in _refused(EntitySplit("place", SHARES, name="Part"), spine=spine).what
    error = _refused(EntitySplit("place", SHARES, name="place__total__to_date"))
    assert "two columns would be called 'place__total__to_date'" in error.what
