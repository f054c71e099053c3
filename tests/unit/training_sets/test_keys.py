"""Keys of several columns: compared column by column, and nobody's where one of them is NULL."""

from __future__ import annotations

from typing import Any

import pytest
from composite import PARTS, WANTED, glued, of_two_columns, with_pairs
from engine import duckdb_of
from worlds import TYPES

from penstock.errors import InvalidRequestError, UnknownNameError
from penstock.training_sets import (
    EntitySplit,
    Negatives,
    Spine,
    TrainingSetRequest,
    compile_training_set,
    request_of,
)
from penstock.training_sets.compile import WALKS
from penstock.training_sets.timeline import timeline

PAIRS = Spine("labels", at="at", entities={"pair": PARTS})


def _refused(spine: Spine = PAIRS, text: str = "pair.total to date", **more: Any) -> str:
    with pytest.raises((InvalidRequestError, UnknownNameError)) as error:
        compile_training_set(with_pairs(), TrainingSetRequest(spine, (text,), **more), "duckdb")
    return str(error.value)


@pytest.mark.parametrize("union", [False, True])
@pytest.mark.parametrize("inclusive", [False, True])
def test_they_are_the_keys_that_one_column_would_be(
    inclusive: bool, union: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if union:
        monkeypatch.setitem(WALKS, "duckdb", timeline)
    world = of_two_columns()
    answers = []
    for data, entity, spine in (
        (world, "pair", PAIRS),
        (glued(world), "thing", Spine("labels", at="at", entities={"thing": "thing"})),
    ):
        texts = tuple(f"{entity}.{text} as f_{i}" for i, text in enumerate(WANTED))
        sql = compile_training_set(
            with_pairs(), TrainingSetRequest(spine, texts, inclusive=inclusive, types=TYPES), "duckdb"
        ).sql
        kept = ", ".join(f"f_{i}" for i in range(len(WANTED)))
        rows = duckdb_of(data).execute(f'SELECT label_id, "at", place, {kept} FROM ({sql}) ORDER BY ALL').fetchall()
        answers.append([tuple(map(str, row)) for row in rows])
    assert answers[0] == answers[1]
    assert all(len({row[i] for row in answers[0]}) > 2 for i in range(3, 3 + len(WANTED)))


def test_timeless_attributes_of_a_pair() -> None:
    connection = duckdb_of(of_two_columns())
    connection.execute(
        "CREATE TABLE pairs AS SELECT * FROM (VALUES ('a', 'bc', 1), ('ab', 'c', 2)) AS _(one, other, v)"
    )
    connection.execute("CREATE TABLE asked AS FROM (VALUES ('a', 'bc'), ('ab', 'c'), ('a', NULL)) AS _(x, y)")
    spine = Spine("SELECT *, TIMESTAMP '2026-01-01' AS at FROM asked", at="at", entities={"pair": ("x", "y")})
    sql = compile_training_set(with_pairs(), TrainingSetRequest(spine, ("pair.pairs.v",)), "duckdb").sql
    rows = connection.execute(f"SELECT x, y, pair__pairs__v FROM ({sql}) ORDER BY 3 NULLS LAST").fetchall()
    assert rows == [("a", "bc", 1), ("ab", "c", 2), ("a", None, None)]


def test_a_split_keeps_a_pair_together() -> None:
    split = EntitySplit("pair", {"train": 0.5, "test": 0.5})
    request = TrainingSetRequest(PAIRS, ("pair.total to date",), split=split)
    sql = compile_training_set(with_pairs(), request, "duckdb").sql
    parts = f"SELECT thing, place, count(DISTINCT split) AS parts FROM ({sql}) GROUP BY ALL"
    found = duckdb_of(of_two_columns()).execute(f"SELECT max(parts), count(*) FROM ({parts})").fetchone()
    assert found is not None
    assert found[0] == 1
    assert found[1] > 10


def test_from_a_mapping() -> None:
    given = {"spine": "labels", "at": "at", "features": ["pair.total to date"]}
    assert request_of({**given, "entities": {"pair": ["thing", "place"]}}, {}).spine.entities == {"pair": PARTS}
    assert request_of({**given, "entities": {"pair": ["thing"]}}, {}).spine.entities == {"pair": "thing"}
    with pytest.raises(InvalidRequestError, match="must be a column or a list of columns, not 7"):
        request_of({**given, "entities": {"pair": 7}}, {})


def test_mistakes() -> None:
    one = Spine("labels", at="at", entities={"pair": "thing"})
    assert "the key of 'pair' in 'events' is (thing, place), and in the spine thing" in _refused(one)
    three = Spine("labels", at="at", entities={"thing": PARTS})
    assert "give one column of the spine for each part" in _refused(three, "thing.total to date")
    types = {**TYPES, "labels": {"thing": "text", "place": "int", "at": "timestamp"}}
    types["events"] = {**types["events"], "thing": "text", "place": "text", "happened_at": "timestamp"}
    assert "the spine's 'place' is a number and the key of 'pair' in 'events' a text" in _refused(types=types)
    assert "unknown column 'place'" in _refused(types={"labels": {"thing": "text", "at": "timestamp"}})
    both = Spine("labels", at="at", entities={"pair": PARTS, "place": "place"})
    drawn = Negatives("pair", per_row=1, label="met")
    assert "the key of 'pair' has several columns" in _refused(both, negatives=drawn)
    drawn = Negatives("place", per_row=1, label="met")
    assert "the keys of 'place' and 'pair' are in one column" in _refused(both, negatives=drawn)
