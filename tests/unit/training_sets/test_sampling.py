"""Samples and balanced classes against the same said in Python."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from random import Random
from typing import Any

import pytest
from examples import (
    FEATURE,
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
from worlds import manifest

from penstock.errors import InvalidRequestError, PenstockError, UnknownNameError
from penstock.training_sets import (
    Balance,
    EntitySplit,
    HashSplit,
    Sample,
    TrainingSetRequest,
    compile_training_set,
)


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return random_examples(Random(4), 700, things=40, places=60)


@pytest.fixture(scope="module")
def events() -> list[Row]:
    return random_events(Random(5), 400, places=60)


def _numbered(count: int, late: int = 0) -> list[Row]:
    """Rows without NULLs, the first of them late."""
    common = {"thing": "t", "place": "p", "at": START, "day": None}
    return [{"id": i, "late": int(i < late), **common} for i in range(count)]


@pytest.mark.parametrize("by", [("id",), ("thing", "late"), ("at",)])
def test_a_sample_keeps_rows_whole(rows: list[Row], events: list[Row], by: tuple[str, ...]) -> None:
    connection = database(rows, events=events)
    found = asked(connection, sample=Sample("0.3", by, seed=5))
    expected = [r for r in asked(connection) if number([r[c] for c in by], "sample", 5) < 3 * 2**60 // 10]
    assert ordered(found) == ordered(expected)
    assert 0 < len(found) < len(rows)
    assert any(row["place__total__to_date"] for row in found)


def test_a_larger_sample_keeps_what_a_smaller_one_keeps(rows: list[Row]) -> None:
    kept: set[str] = set()
    for share in (0.01, 0.1, 0.11, 0.5, 0.999, 1):
        larger = {repr(sorted(r.items())) for r in asked(database(rows), sample=Sample(share, ("id",)))}
        assert kept <= larger
        kept = larger
    assert len(kept) == len({row["id"] for row in rows})


def test_new_rows_change_no_sample(rows: list[Row]) -> None:
    more = [{**row, "id": row["id"] + 10_000} for row in rows]
    before = asked(database(rows), sample=Sample(0.4, ("id",)))
    after = asked(database([*more, *reversed(rows)]), sample=Sample(0.4, ("id",)))
    assert ordered(before) == ordered(row for row in after if row["id"] < 10_000)


@pytest.mark.parametrize("seed", range(5))
def test_a_sample_is_as_large_as_its_share(seed: int) -> None:
    found = asked(database(_numbered(4000)), sample=Sample(0.1, ("id",), seed=seed))
    assert abs(len(found) - 400) < 4 * (4000 * 0.1 * 0.9) ** 0.5


def test_a_sample_and_a_split_by_the_same_columns_and_seed(rows: list[Row]) -> None:
    found = asked(database(rows), sample=Sample(0.2, ("id",)), split=HashSplit(("id",), SHARES))
    whole = {repr(sorted(r.items())) for r in asked(database(rows), split=HashSplit(("id",), SHARES))}
    assert all(repr(sorted(r.items())) in whole for r in found)
    assert {row["split"] for row in found} == set(SHARES)


@pytest.mark.parametrize("ratio", [1, "1.5", 2, 2.125, 1000])
def test_balance(rows: list[Row], events: list[Row], ratio: Any) -> None:
    connection = database(rows, events=events)
    balance = Balance("late", ("id", "place"), seed=9, ratio=ratio, name="weight")
    found = asked(connection, balance=balance)
    classes = Counter(row["late"] for row in rows if row["late"] is not None)
    most = int(min(classes.values()) * Fraction(str(ratio)))
    expected = []
    for row in asked(connection):
        count = classes.get(row["late"], 0)
        drawn = number([row["id"], row["place"]], "balance", 9)
        if row["late"] is not None and (count <= most or drawn < 2**60 // count * most):
            expected.append({**row, "weight": max(1.0, count / most)})
    assert ordered(found) == ordered(expected)
    assert {row["late"] for row in found} == {0, 1}


@pytest.mark.parametrize("seed", range(5))
def test_classes_are_in_balance_and_their_weights_make_up_for_it(seed: int) -> None:
    found = asked(database(_numbered(4000, late=400)), balance=Balance("late", ("id",), seed=seed))
    kept = Counter(row["late"] for row in found)
    assert kept[1] == 400
    assert abs(kept[0] - 400) < 4 * (3600 / 9 * 8 / 9) ** 0.5
    weights = {row["late"]: row["sample_weight"] for row in found}
    assert weights == {0: 9.0, 1: 1.0}


def test_only_the_parts_that_are_named_are_balanced(rows: list[Row]) -> None:
    split = HashSplit(("id",), SHARES)
    balance = Balance("late", ("id",), splits=("train", "validation"))
    whole = asked(database(rows), split=split)
    found = asked(database(rows), split=split, balance=balance)
    untouched = [{**row, "sample_weight": 1.0} for row in whole if row["split"] == "test"]
    assert ordered(row for row in found if row["split"] == "test") == ordered(untouched)
    assert any(row["late"] is None for row in untouched)
    within = [row for row in whole if row["split"] != "test" and row["late"] is not None]
    classes = Counter(row["late"] for row in within)
    least = min(classes.values())
    expected = [
        {**row, "sample_weight": classes[row["late"]] / least}
        for row in within
        if classes[row["late"]] == least or number([row["id"]], "balance", 0) < 2**60 // classes[row["late"]] * least
    ]
    assert ordered(row for row in found if row["split"] != "test") == ordered(expected)


def test_rows_in_no_part_are_kept(rows: list[Row]) -> None:
    balance = Balance("late", ("id",), splits=("train",))
    found = asked(database(rows), split=EntitySplit("place", SHARES), balance=balance)
    nowhere = [{**r, "split": None, "sample_weight": 1.0} for r in rows if r["place"] is None]
    assert ordered(without((r for r in found if r["split"] is None), "place__total__to_date")) == ordered(nowhere)


def test_no_labels_and_no_rows() -> None:
    balance = Balance("late", ("id",))
    assert asked(database([]), balance=balance, sample=Sample(1, ("id",))) == []
    assert asked(database([{**row, "late": None} for row in _numbered(5)]), balance=balance) == []
    assert len(asked(database(_numbered(5)), balance=balance)) == 5  # of one class


@pytest.mark.parametrize(
    ("parts", "what"),
    [
        ({"sample": Sample(0, ("id",))}, "share is 0"),
        ({"sample": Sample(1.5, ("id",))}, "share is 1.5"),
        ({"sample": Sample("a tenth", ("id",))}, "share must be a number, not 'a tenth'"),
        ({"sample": Sample(0.1, ())}, "by must be a list of at least one text"),
        ({"sample": Sample(0.1, "id")}, "by must be a list of at least one text"),
        ({"sample": Sample(0.1, ("id",), seed=0.5)}, "seed must be a whole number, not 0.5"),
        ({"balance": Balance("late", ())}, "by must be a list of at least one text"),
        ({"balance": Balance(7, ("id",))}, "label must be a text, not 7"),
        ({"balance": Balance("late", ("id",), seed=None)}, "seed must be a whole number, not None"),
        ({"balance": Balance("late", ("id",), ratio=0.5)}, "ratio is 0.5"),
        ({"balance": Balance("late", ("id",), ratio="1.0001")}, "ratio is 1.0001"),
        ({"balance": Balance("late", ("id",), ratio=1e7)}, "ratio is 10000000.0"),
        ({"balance": Balance("late", ("id",), name="")}, "'' is no name of a column"),
        ({"balance": Balance("late", ("id",), splits="train")}, "splits must be a list of at least one text"),
    ],
)
def test_mistakes(parts: dict[str, Any], what: str) -> None:
    error = _refused(parts)
    assert isinstance(error, InvalidRequestError)
    assert what in error.what
    assert error.where == next(iter(parts))
    assert error.fix


def _refused(parts: dict[str, Any], **types: str) -> PenstockError:
    whole = {"at": "timestamp", "thing": "string", "place": "string", **types}
    request = TrainingSetRequest(SPINE, (FEATURE,), types={"examples": whole} if types else {}, **parts)
    with pytest.raises(PenstockError) as error:
        compile_training_set(manifest(), request)
    return error.value


def test_unknown_names() -> None:
    types = {"id": "int", "late": "int", "x": "double"}
    for part, near in (
        ({"sample": Sample(0.1, ("idd",))}, "id"),
        ({"balance": Balance("lat", ("id",))}, "late"),
        ({"balance": Balance("late", ("idd",))}, "id"),
    ):
        error = _refused(part, **types)
        assert isinstance(error, UnknownNameError)
        assert near in error.near
        assert error.where == next(iter(part))
    assert "of type double, which has no stable hash" in _refused({"sample": Sample(0.1, ("x",))}, **types).what
    error = _refused({"balance": Balance("late", ("id",), splits=("tran",)), "split": HashSplit(("id",), SHARES)})
    assert (error.what, error.near[0]) == ("unknown part 'tran'", "train")
    assert _refused({"balance": Balance("late", ("id",), splits=("train",))}).what == "unknown part 'train'"


def test_the_new_column_is_new() -> None:
    error = _refused({"balance": Balance("late", ("id",), name="ID")}, id="int", late="int")
    assert error.what == "two columns would be called 'ID'"
    split = HashSplit(("id",), SHARES, name="fold")
    assert "'FOLD'" in _refused({"split": split, "balance": Balance("late", ("id",), name="FOLD")}).what
