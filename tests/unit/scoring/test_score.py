"""What a worker makes of a batch: every row's result in its place, whatever the model does."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from penstock.errors import EnvironmentProblem, PenstockError
from penstock.scoring.contract import Description, Field, Input, Loaded, Param
from penstock.scoring.dispatchers import left_out_of_collection
from penstock.scoring.failures import ModelFailed
from penstock.scoring.live import Live
from penstock.scoring.memory import Models
from penstock.scoring.score import RowsFail, Scoring, score

CHAMPION, OTHER = (
    str(Live(alias, version, "library", "d", f"/{version}")) for alias, version in (("champion", 1), ("other", 2))
)
WITH_ERROR = pa.struct([("prediction", pa.float64()), ("error", pa.string()), ("version", pa.int32())])
NUMBER = Description((Input("a", "DOUBLE", True), Input("b", "STRING", True)), (Field("prediction", "DOUBLE"),))


def tenfold(table: pa.Table, params: dict[str, Any]) -> dict[str, Any]:
    """Ten times `a`; -1 is a row that the model cannot take, -2 one that it has no number for."""
    a = table["a"].to_numpy()
    if (a == -1).any():
        raise ModelFailed("the model failed: ValueError: no -1, please", where="/1")
    return {"prediction": np.where(a == -2, np.nan, a * 10)}


def models(predict: Callable[..., Any] = tenfold, description: Description = NUMBER) -> Models:
    def load(live: Live) -> Loaded:
        def scaled(table: pa.Table, params: Any) -> Any:
            return {name: values * live.version for name, values in predict(table, params).items()}

        return Loaded(description, scaled, 10)

    return Models(load)


def batch(*a: float | None, live: str | list[str] = CHAMPION) -> tuple[pa.Array, pa.Array]:
    texts = [live] * len(a) if isinstance(live, str) else live
    rows = [{"B": "x", "more": 1, "A": value} for value in a]
    kind = pa.struct([("B", pa.string()), ("more", pa.int32()), ("A", pa.float64())])
    return pa.array(texts), pa.array(rows, kind)


def asked(**policies: Any) -> Scoring:
    return Scoring("f", "m", ("prediction", "error", "version"), WITH_ERROR, on_error="skip", **policies)


PLAIN = Scoring("f", "m", ("prediction",), pa.float64())


def test_inputs_are_found_by_name_and_others_are_left_alone() -> None:
    assert score(PLAIN, models(), *batch(1.0, 2.0)).to_pylist() == [10.0, 20.0]


def test_rows_without_inputs_are_not_scored() -> None:
    live, features = batch(1.0, 2.0, 3.0)
    features = pa.StructArray.from_arrays(
        features.flatten(), fields=list(features.type), mask=pa.array([False, True, False])
    )
    assert score(PLAIN, models(), live, features).to_pylist() == [10.0, None, 30.0]


def test_an_empty_batch_stays_empty() -> None:
    assert score(PLAIN, models(), *batch()).to_pylist() == []


@pytest.mark.parametrize("rows", [1, 2, 7, 64, 200])
@pytest.mark.parametrize("seed", range(4))
def test_rows_that_fail_stand_alone_and_no_row_moves(rows: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    a = random.choice([-1.0, -2.0, *np.arange(50.0)], rows)
    texts = random.choice([CHAMPION, OTHER], rows).tolist()
    given = score(asked(), models(), *batch(*a, live=texts)).to_pylist()
    for value, text, row in zip(a, texts, given, strict=True):
        version = Live.parse(text).version
        assert row["version"] == version
        if value == -1:
            assert row["prediction"] is None and "no -1, please" in row["error"]
        elif value == -2:
            assert row["prediction"] is None and row["error"] == "the model gave NaN"
        else:
            assert row["prediction"] == value * 10 * version and row["error"] is None


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (-1.0, "version 1 of model 'm' failed: ValueError: no -1, please"),
        (-2.0, "1 of 2 rows of a batch: the model gave NaN"),
    ],
)
def test_without_a_policy_a_row_that_fails_ends_the_query(bad: float, message: str) -> None:
    with pytest.raises(PenstockError, match=message):
        score(PLAIN, models(), *batch(1.0, bad))


@pytest.mark.parametrize("given_by", [pa.array([1.5, None]), pa.chunked_array([[1.5], [None]], pa.float64())])
def test_a_null_that_an_engine_writes_for_nan_is_a_row_that_fails(given_by: Any) -> None:
    made = Loaded(NUMBER, lambda table, params: {"prediction": given_by}, 10)
    given = score(asked(), Models(lambda live: made), *batch(1.0, 2.0)).to_pylist()
    assert [(row["prediction"], row["error"]) for row in given] == [(1.5, None), (None, "the model gave NaN")]


@pytest.mark.parametrize(
    ("policy", "expected"), [("skip", [10.0, None]), ("error", [10.0, None]), ("model", [10.0, None])]
)
def test_nulls(policy: str, expected: list[float | None]) -> None:
    given = score(asked(on_null=policy), models(), *batch(1.0, None)).to_pylist()
    assert [row["prediction"] for row in given] == expected
    reasons = {"skip": None, "error": "input 'a' is NULL", "model": "the model gave NaN"}
    assert [row["error"] for row in given] == [None, reasons[policy]]


LEVELS = Description((NUMBER.inputs[0], replace(NUMBER.inputs[1], levels=("x", "y"))), NUMBER.fields)


@pytest.mark.parametrize(
    ("policy", "expected", "reason"),
    [
        ("model", [10.0, 20.0, 30.0, 40.0], None),
        ("skip", [10.0, None, 30.0, 40.0], None),
        ("error", [10.0, None, 30.0, 40.0], "input 'b' has a level that the model does not know"),
    ],
)
def test_unknown_levels(policy: str, expected: list[float | None], reason: str | None) -> None:
    kind = pa.struct([("b", pa.string()), ("a", pa.float64())])
    rows = pa.array([{"a": 1, "b": "x"}, {"a": 2, "b": "secret"}, {"a": 3, "b": None}, {"a": 4, "b": "y"}], kind)
    held = models(tenfold, LEVELS)
    given = score(asked(on_unknown=policy), held, pa.array([CHAMPION] * 4), rows).to_pylist()
    assert [row["prediction"] for row in given] == expected
    assert [row["error"] for row in given] == [None, reason, None, None]
    if policy == "error":
        with pytest.raises(RowsFail, match="1 of 4 rows of a batch: input 'b' has a level") as error:
            score(replace(PLAIN, on_unknown="error"), held, pa.array([CHAMPION] * 4), rows)
        assert "secret" not in str(error.value)


@pytest.mark.parametrize(("on_null", "reason"), [("skip", None), ("error", "input 'a' is NULL")])
def test_of_a_null_and_an_unknown_level_the_null_counts(on_null: str, reason: str | None) -> None:
    rows = pa.array([{"a": None, "b": "z"}, {"a": 1.0, "b": "x"}], pa.struct([("a", pa.float64()), ("b", pa.string())]))
    policies = asked(on_null=on_null, on_unknown="error")
    given = score(policies, models(tenfold, LEVELS), pa.array([CHAMPION] * 2), rows).to_pylist()
    assert [(row["prediction"], row["error"]) for row in given] == [(None, reason), (10.0, None)]


def test_a_version_that_says_no_levels_cannot_be_asked_for_them() -> None:
    with pytest.raises(PenstockError, match=r"says of no input which levels(.|\n)*f, version 1"):
        score(asked(on_unknown="skip"), models(), *batch(1.0))


@pytest.mark.parametrize("on_null", ["model", "skip", "error"])
def test_what_the_engine_does_not_read_may_be_left_out_and_is_no_null_of_the_rows(on_null: str) -> None:
    def predict(table: pa.Table, params: Any) -> dict[str, Any]:
        assert table.schema.field("b").type == pa.string() and table["b"].null_count == table.num_rows
        return tenfold(table, params)

    held = Models(lambda live: Loaded(NUMBER, predict, 10, unused=frozenset({"b"})))
    rows = pa.array([{"a": 1.0}, {"a": 2.0}])
    assert score(replace(PLAIN, on_null=on_null), held, pa.array([CHAMPION] * 2), rows).to_pylist() == [10.0, 20.0]
    with pytest.raises(PenstockError, match="f needs a, which the call does not give"):
        score(PLAIN, held, pa.array([CHAMPION]), pa.array([{"b": "x"}]))


def test_a_null_that_the_call_gives_counts_even_where_it_is_not_read() -> None:
    held = Models(lambda live: Loaded(NUMBER, tenfold, 10, unused=frozenset({"b"})))
    rows = pa.array([{"a": 1.0, "b": None}], pa.struct([("a", pa.float64()), ("b", pa.string())]))
    given = score(asked(on_null="error"), held, pa.array([CHAMPION]), rows).to_pylist()
    assert given[0]["error"] == "input 'b' is NULL"


def test_a_shadow_scores_every_row_and_its_failures_are_its_own() -> None:
    kind = pa.struct([("prediction", pa.float64()), ("shadow", pa.float64())])
    shadowed = Scoring("f", "m", ("prediction", "shadow"), kind, shadowed=True)
    live, features = batch(1.0, 3.0)
    given = score(shadowed, models(), live, features, pa.array([OTHER, OTHER])).to_pylist()
    assert given == [{"prediction": 10.0, "shadow": 20.0}, {"prediction": 30.0, "shadow": 60.0}]


def test_params_are_the_calls_own_or_their_defaults() -> None:
    described = Description(NUMBER.inputs, NUMBER.fields, params=(Param("plus", "DOUBLE", 5.0),))

    def added(table: pa.Table, params: dict[str, Any]) -> dict[str, Any]:
        return {"prediction": table["a"].to_numpy() + params["plus"]}

    with_params = Scoring("f", "m", ("prediction",), pa.float64(), params=True)
    held = models(added, described)
    assert score(with_params, held, *batch(1.0, 2.0), pa.array([{"plus": 1.0}] * 2)).to_pylist() == [2.0, 3.0]
    assert score(with_params, held, *batch(1.0, 2.0), pa.array([{"plus": 1.0}, {"plus": 2.0}])).to_pylist() == [
        2.0,
        4.0,
    ]
    assert score(PLAIN, held, *batch(1.0)).to_pylist() == [6.0]


def test_a_missing_version_and_a_missing_input_are_told() -> None:
    live, features = batch(1.0)
    with pytest.raises(PenstockError, match="f has no version under the alias"):
        score(PLAIN, models(), pa.nulls(1, pa.string()), features)
    with pytest.raises(PenstockError, match="f needs b, which the call does not give"):
        score(PLAIN, models(), live, pa.array([{"a": 1.0}]))


def test_classes() -> None:
    described = Description((Input("a", "DOUBLE", True),), (Field("label", "STRING"),), ("no", "yes", "so"))

    def predict(table: pa.Table, params: Any) -> dict[str, Any]:
        return {"probabilities": np.array([[0.25, 0.5, 0.25], [1.0, 0.0, 0.0]])}

    held = models(predict, described)
    tops = pa.list_(pa.struct([("label", pa.string()), ("probability", pa.float64())]))
    given = score(Scoring("f", "m", ("top",), tops, top=2), held, *batch(1.0, 2.0)).to_pylist()
    assert [[each["label"] for each in row] for row in given] == [["yes", "no"], ["no", "yes"]]
    named = score(Scoring("f", "m", ("probabilities",), pa.map_(pa.string(), pa.float64())), held, *batch(1.0, 2.0))
    assert dict(named.to_pylist()[0]) == {"no": 0.25, "yes": 0.5, "so": 0.25}


def test_memory_is_bounded_and_the_longest_unused_version_leaves() -> None:
    loads: list[int] = []

    def load(live: Live) -> Loaded:
        loads.append(live.version)
        return Loaded(NUMBER, tenfold, 40)

    held = Models(load, most=lambda: 100)
    for version in (1, 2, 1, 3, 1, 2):
        held.get(Live("champion", version, "library", "d", f"/{version}"))
    assert loads == [1, 2, 3, 2]
    with pytest.raises(EnvironmentProblem, match="needs 40 bytes of memory, and a worker may hold 30"):
        Models(load, most=lambda: 30).get(Live("champion", 1, "library", "d", "/1"))


def test_versions_in_memory_are_left_out_of_collection_and_one_that_has_left_is_freed() -> None:
    class Native:
        def __init__(self) -> None:
            self.itself = self

    try:
        native = Native()
        gone = weakref.ref(native)
        loaded = left_out_of_collection(Loaded(NUMBER, tenfold, 40, native=native))
        assert gc.get_freeze_count() > 0
        del native, loaded
        gc.collect()
        assert gone() is not None, "it is in no collection"
        left_out_of_collection(Loaded(NUMBER, tenfold, 40))
        assert gone() is None
    finally:
        gc.unfreeze()


def test_two_aliases_of_one_version_are_one_in_memory() -> None:
    held = models()
    one, two = (held.get(Live(alias, 1, "library", "d", "/1")) for alias in ("champion", "challenger"))
    assert one is two
