"""Negatives against what they have to be, said row by row; which of the possible ones are drawn is left to chance."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest
from examples import (
    FEATURE,
    SPINE,
    START,
    Row,
    asked,
    database,
    ordered,
    random_events,
    random_examples,
    random_stock,
    without,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import manifest

from penstock.errors import InvalidRequestError, PenstockError, UnknownNameError
from penstock.training_sets import (
    Candidates,
    EntitySplit,
    Negatives,
    Sample,
    Spine,
    TrainingSetRequest,
    compile_training_set,
)

LONG_AGO = START - timedelta(days=9999)


def _since(rows: list[Row]) -> dict[Any, datetime]:
    """When each place first occurs."""
    since: dict[Any, datetime] = {}
    for row in rows:
        if None not in (row["thing"], row["place"], row["at"]):
            since[row["place"]] = min(row["at"], since.get(row["place"], row["at"]))
    return since


def _possible(rows: list[Row], row: Row, since: dict[Any, datetime], inclusive: bool) -> set[Any]:
    """The places that may be drawn for a row."""
    if None in (row["thing"], row["place"], row["at"]):
        return set()
    met = {r["place"] for r in rows if r["thing"] == row["thing"] and r["at"] is not None and r["at"] <= row["at"]}
    return {p for p, t in since.items() if p not in met and (t <= row["at"] if inclusive else t < row["at"])}


def _check(
    rows: list[Row], found: list[Row], per_row: int, since: dict[Any, datetime], *, inclusive: bool = False
) -> None:
    """The spine's rows are there, and each has as many negatives as it can, no two alike."""
    positives = [without([row], "hit")[0] for row in found if row["hit"] == 1]
    assert ordered(without(positives, "place__total__to_date")) == ordered(rows)
    drawn = defaultdict(list)
    for row in found:
        if row["hit"] == 0:
            drawn[row["id"]].append(row)
    for row in {r["id"]: r for r in rows}.values():
        times = sum(r["id"] == row["id"] for r in rows)
        negatives = drawn.pop(row["id"], [])
        possible = _possible(rows, row, since, inclusive)
        places = Counter(n["place"] for n in negatives)
        assert set(places) <= possible
        assert len(places) == min(per_row, len(possible))
        assert set(places.values()) <= {times}
        same = without([row], "place")[0]
        assert all(without([n], "place", "hit", "place__total__to_date")[0] == same for n in negatives)
    assert not drawn


@pytest.mark.parametrize("inclusive", [False, True])
def test_each_row_gets_what_it_can(inclusive: bool) -> None:
    @settings(max_examples=25, deadline=None, derandomize=True, database=None)
    @given(
        seed=st.integers(0, 99),
        count=st.integers(0, 60),
        things=st.integers(1, 6),
        places=st.integers(1, 40),
        per_row=st.integers(1, 6),
    )
    def holds(seed: int, count: int, things: int, places: int, per_row: int) -> None:
        rows = random_examples(Random(seed), count, things=things, places=places)
        found = asked(database(rows), negatives=Negatives("place", per_row, "hit", seed=seed), inclusive=inclusive)
        _check(rows, found, per_row, _since(rows), inclusive=inclusive)

    holds()


def test_candidates_of_their_own() -> None:
    rows, stock = random_examples(Random(1), 120), random_stock(Random(1))
    listed: dict[Any, datetime] = {}
    for item in stock:
        if item["listed_at"] is not None and item["place"] is not None:
            listed[item["place"]] = min(item["listed_at"], listed.get(item["place"], item["listed_at"]))
    for candidates, since in (
        (Candidates("stock", since="listed_at"), listed),
        (Candidates("stock"), {item["place"]: LONG_AGO for item in stock if item["place"] is not None}),
        (Candidates("SELECT 'x' || place AS code FROM stock", column="code"), {f"xp{i}": LONG_AGO for i in range(17)}),
    ):
        found = asked(database(rows, stock), negatives=Negatives("place", 3, "hit", candidates=candidates))
        _check(rows, found, 3, since)


def test_features_are_those_of_the_row_that_was_drawn() -> None:
    rows, events = random_examples(Random(1), 120), random_events(Random(2), 300)
    found = asked(database(rows, events=events), negatives=Negatives("place", 3, "hit"))
    again = [{**row, "id": i} for i, row in enumerate(without(found, "place__total__to_date", "hit"))]
    expected = {row["id"]: row for row in asked(database(again, events=events))}
    values = [row["place__total__to_date"] for row in found]
    assert values == [expected[i]["place__total__to_date"] for i in range(len(found))]
    assert len(set(values)) > 20


def test_what_comes_later_changes_no_negative() -> None:
    rows = random_examples(Random(6), 200, places=30)
    middle = START + timedelta(days=4)
    past = [row for row in rows if row["at"] is not None and row["at"] < middle]
    wanted = Negatives("place", 4, "hit")
    before = asked(database(past), negatives=wanted)
    after = asked(database(list(reversed(rows))), negatives=wanted)
    assert ordered(before) == ordered(row for row in after if row["at"] is not None and row["at"] < middle)


def test_a_sample_of_the_rows_has_their_negatives() -> None:
    rows = random_examples(Random(7), 200)
    wanted = Negatives("place", 4, "hit")
    whole, some = (asked(database(rows), negatives=wanted, sample=s) for s in (None, Sample(0.4, ("id",))))
    kept = {row["id"] for row in some}
    assert ordered(some) == ordered(row for row in whole if row["id"] in kept)
    assert 0 < len(kept) < len({row["id"] for row in rows})


def test_a_drawn_key_is_in_the_part_of_that_key() -> None:
    rows = random_examples(Random(8), 200)
    split = EntitySplit("place", {"train": 0.5, "test": 0.5})
    found = asked(database(rows), negatives=Negatives("place", 4, "hit"), split=split)
    part = {row["place"]: row["split"] for row in asked(database(rows), split=split)}
    assert all(row["split"] == part[row["place"]] for row in found)
    assert {row["split"] for row in found if row["hit"] == 0} == {"train", "test"}


@pytest.mark.parametrize(("places", "met"), [(8, 1), (40, 1), (40, 30)])
def test_each_possible_key_has_the_same_chance(places: int, met: int) -> None:
    """For many things that have met with the same places, of which most, or a few, are possible."""
    common = {"late": 0, "day": None}
    first = [
        {"id": -i, "thing": "first", "place": f"p{i}", "at": START - timedelta(days=i), **common} for i in range(places)
    ]
    rows = [
        {"id": 1 + t * met + m, "thing": f"t{t}", "place": f"p{m}", "at": START + timedelta(days=1), **common}
        for t in range(600)
        for m in range(met)
    ]
    found = asked(database([*first, *rows]), negatives=Negatives("place", 3, "hit"))
    drawn = Counter(row["place"] for row in found if row["hit"] == 0 and row["id"] > 0)
    assert set(drawn) == {f"p{i}" for i in range(met, places)}
    p = 3 / (places - met)
    expected = 600 * met * p
    assert sum(drawn.values()) == 600 * met * 3
    assert all(abs(n - expected) < 4.5 * (expected * (1 - p)) ** 0.5 for n in drawn.values())


def test_seeds_differ() -> None:
    rows = random_examples(Random(8), 100, places=40)
    one, same, other = (asked(database(rows), negatives=Negatives("place", 2, "hit", seed=s)) for s in (1, 1, 2))
    assert ordered(one) == ordered(same) != ordered(other)


def test_columns_that_are_named_keep_their_order() -> None:
    rows = random_examples(Random(9), 60)
    spine = replace(SPINE, columns=("place", "id"))
    found = asked(database(rows), spine=spine, negatives=Negatives("place", 2, "hit"))
    assert list(found[0]) == ["place", "id", "hit", "place__total__to_date"]
    whole = asked(database(rows), negatives=Negatives("place", 2, "hit"))
    assert list(whole[0]) == ["id", "thing", "at", "late", "day", "place", "hit", "place__total__to_date"]
    assert ordered(found) == ordered(without(whole, "thing", "at", "late", "day"))


def _refused(negatives: Any, spine: Spine = SPINE, **more: Any) -> PenstockError:
    with pytest.raises(PenstockError) as error:
        compile_training_set(manifest(), TrainingSetRequest(spine, (FEATURE,), negatives=negatives, **more))
    assert error.value.where.startswith(("negatives", "split", "the set of candidates"))
    return error.value


@pytest.mark.parametrize(
    ("negatives", "what"),
    [
        (Negatives("place", 0, "hit"), "per_row is 0"),
        (Negatives("place", 1001, "hit"), "per_row is 1001"),
        (Negatives("place", 1.5, "hit"), "per_row must be a whole number, not 1.5"),  # type: ignore[arg-type]
        (Negatives("place", 4, "a hit"), "'a hit' is no name of a column"),
        (Negatives("place", 4, "hit", seed="x"), "seed must be a whole number"),  # type: ignore[arg-type]
        (Negatives("place", 4, "hit", candidates=Candidates("a; b")), "the set of candidates is neither"),
        (Negatives("place", 4, "hit", candidates=Candidates("")), "relation must be a text"),
        (Negatives("place", 4, "hit", candidates=Candidates("a", since="")), "since must be a text"),
        (Negatives("place", 4, "place__total__to_date"), "two columns would be called"),
    ],
)
def test_mistakes(negatives: Negatives, what: str) -> None:
    if "two columns" in what:
        with pytest.raises(InvalidRequestError, match=what):
            compile_training_set(manifest(), TrainingSetRequest(SPINE, (FEATURE,), negatives=negatives))
        return
    error = _refused(negatives)
    assert isinstance(error, InvalidRequestError)
    assert what in error.what


def test_spines_that_have_no_negatives() -> None:
    error = _refused(Negatives("plce", 4, "hit"))
    assert isinstance(error, UnknownNameError)
    assert error.near[0] == "place"
    alone = replace(SPINE, entities={"place": "place"})
    assert "it has no other entity" in _refused(Negatives("place", 4, "hit"), alone).what
    twins = replace(SPINE, entities={"place": "place", "thing": "Place"})
    assert "are in one column" in _refused(Negatives("place", 4, "hit"), twins).what
    types = {"examples": {"thing": "string", "place": "string", "at": "timestamp", "Hit": "int"}}
    assert _refused(Negatives("place", 4, "hit"), types=types).what == "two columns would be called 'hit'"
    split = EntitySplit("place", {"a": 0.5, "b": 0.5}, name="Hit")
    assert "two columns would be called 'hit'" in _refused(Negatives("place", 4, "hit"), split=split).what


def test_keys_and_samples_that_have_no_answer() -> None:
    types = {"examples": {"id": "int", "thing": "double", "place": "string", "at": "timestamp"}}
    assert "'thing' is of type double" in _refused(Negatives("place", 4, "hit"), types=types).what
    request = TrainingSetRequest(
        SPINE,
        (FEATURE,),
        negatives=Negatives("place", 4, "hit"),
        types={"examples": {"id": "int", "thing": "string", "item": "string", "at": "timestamp"}},
    )
    with pytest.raises(UnknownNameError, match="unknown column 'place'"):
        compile_training_set(manifest(), request)
    with pytest.raises(InvalidRequestError, match="'Hit' is not there yet when the sample is taken"):
        asked(database([]), negatives=Negatives("place", 4, "hit"), sample=Sample(0.5, ("Hit",)))


@pytest.mark.parametrize(
    ("candidates", "relations"),
    [(None, ()), (Candidates(" main.stock "), ("main.stock",)), (Candidates("SELECT place FROM stock"), ())],
)
def test_relations_that_are_read(candidates: Candidates | None, relations: tuple[str, ...]) -> None:
    wanted = Negatives("place", 4, "hit", candidates=candidates)
    compiled = compile_training_set(manifest(), TrainingSetRequest(SPINE, (FEATURE,), negatives=wanted))
    assert compiled.relations == ("examples", *relations, "events")
