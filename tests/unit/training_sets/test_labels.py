"""Labels against an evaluator in plain Python, maturity as data arrive, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import pytest
from brute_force import Row, World, merged, random_world, same
from engine import duckdb_of, moment, seconds
from worlds import TYPES, manifest

from penstock.errors import InvalidDefinitionError, InvalidRequestError, PenstockError, UnknownNameError
from penstock.manifest.model import Aggregation, Metric
from penstock.training_sets import CompiledTrainingSet, Spine, TrainingSetRequest, compile_training_set, parse_label

SPINE = Spine("labels", at="at", entities={"thing": "thing", "place": "place"})


def _events(world: World, label: Row, horizon: int, settled: int, entity: str, inclusive: bool) -> list[Row]:
    """The events of the horizon after a row's time, as known when it has settled."""
    at = label["at"]
    found = []
    for row in world.events:
        if (
            row[entity] != label[entity]
            or label[entity] is None
            or row["happened_at"] is None
            or row["known_at"] is None
        ):
            continue
        final = at + horizon + settled
        happens = at < row["happened_at"] <= at + horizon if inclusive else at <= row["happened_at"] < at + horizon
        known = row["known_at"] <= final if inclusive else row["known_at"] < final
        if happens and known:
            found.append(row)
    return found


def _sum(values: list[Any]) -> Any:
    there = [v for v in values if v is not None]
    return sum(there) if there else None


# text -> horizon, how long it takes to settle, entity, and the value of the events
LABELS = {
    "thing.total over next 7 seconds settled after 5 seconds": (7, 5, "thing", lambda r: _sum([e["n"] for e in r])),
    "thing.kinds over next 9 seconds settled after 4 seconds": (
        9, 4, "thing", lambda r: len({e["label"] for e in r} - {None}),
    ),
    "place.flagged over next 5 seconds settled after 0 seconds": (
        5, 0, "place", lambda r: sum(bool(e["flag"]) for e in r),
    ),
    "place.largest over next 20 seconds settled after 5 seconds": (
        20, 5, "place", lambda r: max((e["n"] for e in r if e["n"] is not None), default=None),
    ),
    "thing.mean over next 1 minute settled after 11 seconds": (
        60, 11, "thing",
        lambda r: None if _sum([e["n"] for e in r]) is None
        else _sum([e["n"] for e in r]) / len([e for e in r if e["n"] is not None]),
    ),
}  # fmt: skip
FEATURES = ("thing.total over 7 seconds", "thing.flagged to date")


def _compiled(labels: tuple[str, ...], **more: Any) -> CompiledTrainingSet:
    features = more.pop("features", FEATURES)
    return compile_training_set(
        manifest(), TrainingSetRequest(SPINE, features, labels=labels, **{"types": TYPES, **more}), "duckdb"
    )


@pytest.mark.parametrize("typed", [True, False])
@pytest.mark.parametrize("inclusive", [False, True])
def test_labels_agree_with_an_evaluator(inclusive: bool, typed: bool) -> None:
    world = merged(random_world(Random(seed), most=18) for seed in range(120))
    until = moment(1000).isoformat(" ")
    compiled = _compiled(
        tuple(LABELS), inclusive=inclusive, labels_until=until, types=TYPES if typed else {}, features=()
    )
    rows = seconds(duckdb_of(world).execute(compiled.sql).fetchall())
    dated = [label for label in world.labels if label["at"] is not None]
    assert len(rows) == len(dated) > 500
    by_id = {label["label_id"]: label for label in dated}
    different = 0
    for row in rows:
        label = by_id[row[0]]
        for (horizon, settled, entity, value), found in zip(LABELS.values(), row[4:], strict=True):
            wanted = value(_events(world, label, horizon, settled, entity, inclusive))
            assert same(found, wanted), (label, horizon, settled, found, wanted)
            different += wanted not in (None, 0)
    assert different > 300


@pytest.mark.parametrize("inclusive", [False, True])
def test_a_label_and_the_feature_of_its_length_share_no_event(inclusive: bool) -> None:
    """Every event around T is in the feature or in the label, and none is in both: also those at T itself."""
    events = [
        {"id": i, "thing": "a", "place": None, "happened_at": t, "known_at": t, "early_at": None, "n": 10**i, "d": None,
         "x": None, "flag": None, "label": None}
        for i, t in enumerate((9, 10, 11))
    ]  # fmt: skip
    world = World(labels=[{"label_id": 1, "thing": "a", "place": None, "at": 10}], events=events)
    compiled = _compiled(
        ("thing.total over next 7 seconds settled after 1 second",),
        features=("thing.total over 7 seconds",),
        inclusive=inclusive,
        labels_until=moment(90).isoformat(" "),
    )
    (row,) = duckdb_of(world).execute(compiled.sql).fetchall()
    assert row[4:] == ((11, 100) if inclusive else (1, 110))


def test_rows_come_when_they_are_mature_and_stay_as_they_are() -> None:
    """As data arrive in the order of being known, rows come in, and not one that is in changes."""
    world = merged(random_world(Random(seed), most=18) for seed in range(60))
    label = "thing.total over next 7 seconds settled after 5 seconds"
    compiled = _compiled((label,), features=("thing.total over 7 seconds",))
    before: dict[Any, int] = {}
    grown = 0
    for known in range(0, 45, 4):
        seen = World(**{**vars(world), "events": [e for e in world.events if (e["known_at"] or 0) <= known]})
        connection = duckdb_of(seen)
        rows = seconds(connection.execute(compiled.sql).fetchall())
        newest = max(e["known_at"] for e in seen.events if e["known_at"] is not None)
        mature = [r for r in world.labels if r["at"] is not None and r["at"] + 12 <= newest]
        assert sorted(r[0] for r in rows) == sorted(r["label_id"] for r in mature)
        assert compiled.maturity is not None
        assert connection.execute(compiled.maturity).fetchall() == [
            (len(world.labels), len(mature), len(world.labels) - len(mature))
        ]
        counted = {row: rows.count(row) for row in map(tuple, rows)}
        assert all(counted.get(row, 0) == n for row, n in before.items()), "a row that was in has changed"
        grown += len(counted) > len(before)
        before = counted
    assert grown > 5


@pytest.mark.parametrize("inclusive", [False, True])
def test_the_last_moment_known_decides(inclusive: bool) -> None:
    def labelled(newest: int) -> int:
        event = {**dict.fromkeys(("place", "early_at", "n", "d", "x", "flag", "label")), "id": 1, "thing": "z"}
        world = World(
            labels=[{"label_id": 1, "thing": "a", "place": None, "at": 10}],
            events=[{**event, "happened_at": newest, "known_at": newest}],
        )
        compiled = _compiled(("thing.total over next 7 seconds settled after 5 seconds",), inclusive=inclusive)
        return len(duckdb_of(world).execute(compiled.sql).fetchall())

    # at 22 all that is known before 22 is there; what is known at 22 itself may still come
    assert [labelled(n) for n in (21, 22, 23)] == ([0, 0, 1] if inclusive else [0, 1, 1])


def test_without_facts_nothing_is_mature() -> None:
    world = World(labels=[{"label_id": 1, "thing": "a", "place": None, "at": 10}])
    compiled = _compiled(("thing.total over next 7 seconds settled after 5 seconds",))
    connection = duckdb_of(world)
    assert connection.execute(compiled.sql).fetchall() == []
    assert connection.execute(str(compiled.maturity)).fetchall() == [(1, 0, 1)]


@pytest.mark.parametrize(("text", "mature"), [("", [10, 11]), (" settled after 9 seconds", [])])
def test_a_delay_says_when_a_label_is_final(text: str, mature: list[int]) -> None:
    """Readings are known 3 seconds after they are read: by default a label waits so long."""
    world = World(labels=[{"label_id": i, "thing": "a", "place": None, "at": i} for i in (10, 11)])
    world.readings = [{"id": i, "thing": "a", "read_at": t, "value": 1} for i, t in enumerate((9, 10, 16, 17, 18))]
    counted = Metric("readings_taken", "simple", aggregation=Aggregation("readings", "sum", "1", "read_at"))
    definitions = replace(manifest(), metrics={counted.name: counted})
    request = TrainingSetRequest(SPINE, (), labels=(f"thing.readings_taken over next 7 seconds{text}",))
    compiled = compile_training_set(definitions, request, "duckdb")
    # the newest is known at 21: ripe is the row of which 11 + 7 + 3 is not later
    rows = seconds(duckdb_of(world).execute(f"SELECT * FROM ({compiled.sql}) ORDER BY label_id").fetchall())
    assert [(row[0], row[4]) for row in rows] == [(label, 2) for label in mature]
    waited = replace(request, labels_until=moment(99).isoformat(" "))
    sql = compile_training_set(definitions, waited, "duckdb").sql
    rows = seconds(duckdb_of(world).execute(f"SELECT * FROM ({sql}) ORDER BY label_id").fetchall())
    assert [(row[0], row[4]) for row in rows] == [(10, 2), (11, 2)]


def test_names_and_parts() -> None:
    label = parse_label("Thing.Total OVER NEXT 7 days SETTLED AFTER 2 hours AS y")
    assert (label.entity, label.metric, label.name) == ("thing", "total", "y")
    assert (label.horizon.short, label.settled and label.settled.short) == ("7d", "2h")
    assert parse_label("thing.total over next 1 week").name == "thing__total__next_1w"
    compiled = _compiled(("thing.total over next 7 seconds settled after 5 seconds",))
    assert compiled.columns[-1] == compiled.features[-1].name == "thing__total__next_7s"
    assert compiled.maturity is not None
    assert _compiled(()).maturity is None


@pytest.mark.parametrize(
    ("label", "error", "what"),
    [
        ("thing.total over 7 days", InvalidRequestError, "this is no label"),
        ("thing.total over next week", InvalidRequestError, "this is no label"),
        ("thing.total over next 0 days", InvalidRequestError, "no time at all"),
        ("thing.total over next 2 months", InvalidRequestError, "no fixed length"),
        ("thing.to-tal over next 2 days", InvalidRequestError, "'to-tal' is no name"),
        ("thing.totl over next 2 days settled after 1 day", UnknownNameError, "unknown metric 'totl'"),
        ("owner.total over next 2 days settled after 1 day", UnknownNameError, "unknown entity 'owner'"),
        ("thing.total over next 2 days", InvalidDefinitionError, "not said when the label is final"),
    ],
)
def test_refusals(label: str, error: type[PenstockError], what: str) -> None:
    with pytest.raises(error) as raised:
        _compiled((label,))
    assert what in raised.value.what
    assert label in raised.value.where
    assert raised.value.fix or raised.value.near


def test_more_refusals() -> None:
    with pytest.raises(InvalidRequestError, match="does not look ahead"):
        _compiled((), features=("thing.total over next 7 days",))
    with pytest.raises(InvalidRequestError, match="no labels"):
        _compiled((), labels_until="2020-01-01")
    with pytest.raises(InvalidRequestError, match="no date or moment"):
        _compiled(("thing.total over next 7 days settled after 1 day",), labels_until="tomorrow")
    with pytest.raises(InvalidRequestError, match="two columns would be called"):
        _compiled(("thing.total over next 7 days settled after 1 day as x",), features=("thing.total to date as x",))
    narrow = replace(SPINE, columns=("label_id",))
    request = TrainingSetRequest(narrow, (), labels=("thing.total over next 7 days settled after 1 day",))
    assert compile_training_set(manifest(), request, "spark").columns == ("label_id", "thing__total__next_7d")
