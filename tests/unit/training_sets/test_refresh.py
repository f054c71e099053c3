"""A refresh after random changes of all inputs gives the very rows of a full build, and computes few of them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal
from random import Random
from typing import Any

import duckdb
import pytest
from brute_force import Row, World, merged, random_world
from composite import PARTS, with_pairs
from engine import COLUMNS, duckdb_of, moment, table_rows
from worlds import TYPES, manifest

from penstock.errors import InvalidRequestError
from penstock.training_sets import Spine, TrainingSetRequest, compile_refresh, compile_training_set

SPINE = Spine("labels", at="at", entities={"thing": "thing", "place": "place"})
FEATURES = (
    "thing.total over 7 seconds", "thing.rate over 3 seconds", "place.kinds over 9 seconds", "thing.mean to date",
    "place.early_total over 5 seconds", "thing.lightest over 6 seconds", "thing.readings.value within 8 seconds",
    "thing.prices.price", "thing.prices.price within 4 seconds as fresh_price", "place.places.country",
    "place.early_dated over 4 seconds",
)  # fmt: skip
LABELS = ("thing.total over next 7 seconds settled after 5 seconds",)


@dataclass
class Changes:
    """Every image of every row that was inserted, updated or deleted, by table."""

    images: dict[str, list[Row]] = field(default_factory=dict)

    def note(self, table: str, *rows: Row) -> None:
        self.images.setdefault(table, []).extend(rows)


def _changed(rng: Random, world: World, *, share: float, only_new: bool = False) -> tuple[World, Changes]:
    """The world after some rows came, went, and became others."""
    noted, after = Changes(), World()
    fresh = random_world(rng, most=14)
    for table in COLUMNS:
        rows: list[Row] = []
        for row in getattr(world, table):
            dice = rng.random()
            if only_new or table == "labels" or dice > share:
                rows.append(row)
                continue
            noted.note(table, row)
            others = [r for r in getattr(world, table) if r.get("thing") is not None or table == "places"]
            if dice > share / 2 and table != "places" and others:
                other = {**rng.choice(others), **{k: row[k] for k in ("id",) if k in row}}
                noted.note(table, other)
                rows.append(other)
        begin = 1 + max((row.get("id", row.get("label_id", 0)) for row in rows), default=0)
        known = {row["place"] for row in rows} if table == "places" else set()
        for i, row in enumerate(getattr(fresh, table)):
            key = {k: begin + i for k in ("id", "label_id") if k in row}
            if row.get("place") not in known:
                rows.append({**row, **key})
                noted.note(table, rows[-1])
        setattr(after, table, rows)
    return after, noted


def _with_changes(world: World, changes: Changes) -> duckdb.DuckDBPyConnection:
    connection = duckdb_of(world)
    for table, images in changes.images.items():
        connection.execute(f"CREATE TABLE changed_{table} AS SELECT * FROM {table} LIMIT 0")
        marks = ", ".join("?" * len(COLUMNS[table]))
        connection.executemany(f"INSERT INTO changed_{table} VALUES ({marks})", table_rows(COLUMNS[table], images))
    return connection


def _refreshed(
    before: World, after: World, changes: Changes, request: TrainingSetRequest, key: tuple[str, ...] = ("label_id",)
) -> tuple[list[Any], list[Any], int]:
    """The rows of a refresh merged into the former set, those of a full build, and how many were computed."""
    full = compile_training_set(with_pairs(), request, "duckdb").sql
    built = duckdb_of(before).sql(full).to_arrow_table()
    connection = _with_changes(after, changes)
    connection.register("former", built)
    connection.execute("CREATE TABLE built AS SELECT * FROM former")
    queries = {table: f"SELECT * FROM changed_{table}" for table in changes.images}
    part = compile_refresh(with_pairs(), request, "duckdb", built="built", unique_key=key, changes=queries)
    connection.execute(f"CREATE TABLE part AS {part.sql}")
    connection.execute("DELETE FROM built WHERE label_id IN (SELECT label_id FROM part)")
    connection.execute("INSERT INTO built SELECT * FROM part")
    (computed,) = connection.execute("SELECT count(*) FROM part").fetchall()[0]
    found, wanted = (
        [tuple(map(_plain, row)) for row in connection.execute(f"SELECT * FROM ({q}) ORDER BY label_id").fetchall()]
        for q in ("SELECT * FROM built", full)
    )
    return found, wanted, computed


def _plain(value: Any) -> Any:
    """Arrow has made decimals of DuckDB's widest integers, and NaN is not equal to itself."""
    return int(value) if isinstance(value, Decimal) else "NaN" if value != value else value  # noqa: PLR0124


def _once(world: World) -> World:
    """Without spine rows that occur twice: those can't be told apart by a key."""
    world.labels = list({label["label_id"]: label for label in world.labels}.values())
    return world


@pytest.mark.parametrize("seed", range(4))
def test_a_refresh_by_keys_of_several_columns(seed: int) -> None:
    rng = Random(seed)
    before = _once(merged(random_world(Random(100 * seed + i), most=18) for i in range(10)))
    after, changes = _changed(rng, before, share=0.1)
    spine = replace(SPINE, entities={"pair": PARTS})
    texts = ("pair.total over 7 seconds", "pair.mean to date", "pair.events.n within 5 seconds")
    found, wanted, computed = _refreshed(before, after, changes, TrainingSetRequest(spine, texts, types=TYPES))
    assert found == wanted
    assert 0 < computed < len(wanted)


@pytest.mark.parametrize("inclusive", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_a_refresh_is_a_full_build(seed: int, inclusive: bool) -> None:
    rng = Random(seed)
    before = _once(merged(random_world(rng) for _ in range(6)))
    after, changes = _changed(rng, before, share=0.05 + 0.4 * rng.random())
    request = TrainingSetRequest(SPINE, FEATURES, inclusive=inclusive, types=TYPES)
    found, wanted, _ = _refreshed(before, _once(after), changes, request)
    assert found == wanted


@pytest.mark.parametrize("inclusive", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_labels_change_too(seed: int, inclusive: bool) -> None:
    rng = Random(seed)
    before = _once(merged(random_world(rng) for _ in range(6)))
    after, changes = _changed(rng, before, share=0.1)
    until = moment(500).isoformat(" ")
    request = TrainingSetRequest(SPINE, (), labels=LABELS, labels_until=until, inclusive=inclusive, types=TYPES)
    found, wanted, computed = _refreshed(before, _once(after), changes, request)
    assert found == wanted
    assert computed < len(wanted)


@pytest.mark.parametrize("seed", range(6))
def test_labels_that_mature_come_in(seed: int) -> None:
    rng = Random(seed)
    whole = _once(merged(random_world(rng) for _ in range(6)))
    late = [e for e in whole.events if (e["known_at"] or 0) > 12]
    before = World(**{**vars(whole), "events": [e for e in whole.events if e not in late]})
    request = TrainingSetRequest(SPINE, FEATURES, labels=LABELS, types=TYPES)
    found, wanted, computed = _refreshed(before, whole, Changes({"events": late}), request)
    assert found == wanted
    assert 0 < computed <= len(wanted)


def test_only_what_a_late_row_can_reach_is_computed() -> None:
    """A row of an event at 10, known at 14, reaches its own thing from 14 to 17 when windows are 7 seconds long."""
    empty = dict.fromkeys(("place", "early_at", "d", "x", "flag", "label"))
    labels = [{"label_id": i, "thing": t, "place": None, "at": i % 40} for i, t in enumerate(["a"] * 40 + ["b"] * 40)]
    before = World(labels=labels)
    event = {"id": 1, "thing": "a", "happened_at": 10, "known_at": 14, "n": 5, **empty}
    after = World(labels=labels, events=[event])
    request = TrainingSetRequest(SPINE, ("thing.total over 7 seconds",), types=TYPES)
    found, wanted, computed = _refreshed(before, after, Changes({"events": [event]}), request)
    assert found == wanted
    assert computed == 4
    # a key that is NULL is found again too
    assert _refreshed(before, after, Changes({"events": [event]}), request, ("label_id", "place"))[2] == 4
    last = {**event, "known_at": 17}
    seeing = replace(request, inclusive=True)
    found, wanted, computed = _refreshed(
        before, World(labels=labels, events=[last]), Changes({"events": [last]}), seeing
    )
    assert found == wanted
    assert computed == sum(row[-1] is not None for row in wanted) == 1
    too_late = {**event, "known_at": 18}
    _, _, computed = _refreshed(
        before, World(labels=labels, events=[too_late]), Changes({"events": [too_late]}), request
    )
    assert computed == 0


def test_a_changed_row_of_the_spine_is_computed() -> None:
    labels = [{"label_id": i, "thing": "a", "place": None, "at": i} for i in range(20)]
    event = {**dict.fromkeys(("place", "early_at", "d", "x", "flag", "label")), "id": 1, "thing": "a", "n": 5}
    before = World(labels=labels, events=[{**event, "happened_at": 3, "known_at": 3}])
    moved = {**labels[2], "at": 9}
    after = World(labels=[*labels[:2], moved, *labels[3:]], events=before.events)
    request = TrainingSetRequest(SPINE, ("thing.total over 7 seconds",), types=TYPES)
    found, wanted, computed = _refreshed(before, after, Changes({"labels": [labels[2], moved]}), request)
    assert found == wanted
    assert computed == 1


def test_a_key_is_needed() -> None:
    request = TrainingSetRequest(SPINE, FEATURES, types=TYPES)
    with pytest.raises(InvalidRequestError, match="have to be found"):
        compile_refresh(manifest(), request, "spark", built="built", unique_key=(), changes={})
