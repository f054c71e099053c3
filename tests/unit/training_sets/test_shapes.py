"""The shape of a total: chosen by cost among those that give the very value, told with the others, and asked for."""

from __future__ import annotations

from typing import Any

import pytest
from worlds import TYPES, manifest

from penstock.errors import InvalidRequestError, PenstockError, UnknownNameError
from penstock.training_sets import Spine, TrainingSetRequest, compile_training_set, parse_feature, parse_label
from penstock.training_sets.explain import explain

SPINE = Spine("labels", at="at", entities={"thing": "thing"})


def _request(text: str, **types: Any) -> TrainingSetRequest:
    return TrainingSetRequest(SPINE, (text,), types={**TYPES, **types})


def _refused(text: str) -> PenstockError:
    with pytest.raises(PenstockError) as error:
        compile_training_set(manifest(), _request(text), "duckdb")
    return error.value


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "thing.read_total over 7 seconds",
            {"differences": "cost 1; lifetimes cost 2; rows cost what each window"},
        ),
        ("thing.total over 7 seconds", {"lifetimes": "not differences: its rows are not all known so long after"}),
        ("thing.weight over 7 seconds", {"rows": "not lifetimes: doubles can't be taken back exactly"}),
        ("thing.largest over 7 seconds", {"rows": "not lifetimes: a max can't be taken back"}),
        ("thing.kinds over 7 seconds", {"lifetimes": "cost 2; rows cost what each window holds"}),
        ("thing.total to date", {"running": "cost 1; rows cost what each window holds"}),
        ("thing.total to date by rows", {"rows": "cost what each window holds; running cost 1"}),
        ("thing.rate over 7 seconds by rows", {"rows": "lifetimes cost 2"}),
        ("thing.readings.value", {"latest": ""}),
    ],
)
def test_explain_tells_what_was_chosen_from(text: str, told: dict[str, str]) -> None:
    shapes = explain(manifest(), _request(text), "spark").features[0].shapes
    assert list(shapes) == list(told)
    for shape, part in told.items():
        assert part in shapes[shape]


def test_totals_of_64_bits_are_not_kept_by_spark_but_by_duckdb() -> None:
    request = _request("thing.read_total over 7 seconds", readings={**TYPES["readings"], "value": "bigint"})
    on_spark, on_duckdb = (compile_training_set(manifest(), request, d).features[0] for d in ("spark", "duckdb"))
    assert (on_spark.shapes, on_duckdb.shapes) == (("lifetimes",), ("differences",))
    assert "may overflow" in str(on_spark.choices[0])


def test_a_shape_in_the_text() -> None:
    feature = parse_feature("thing.total over 7 seconds BY Rows as t")
    assert (feature.name, feature.by) == ("t", "rows")  # type: ignore[union-attr]
    assert parse_feature("thing.total to date by rows").name == "thing__total__to_date"
    label = parse_label("thing.total over next 7 seconds settled after 2 seconds by rows as t")
    assert (label.name, label.by) == ("t", "rows")
    labels = TrainingSetRequest(SPINE, (), labels=("thing.total over next 7 seconds settled after 2 seconds by rows",))
    assert compile_training_set(manifest(), labels).features[0].shapes == ("rows",)


@pytest.mark.parametrize(
    ("text", "kind", "what"),
    [
        ("thing.total over 7 seconds by row", UnknownNameError, "unknown shape 'row'"),
        ("thing.total over 7 seconds by latest", UnknownNameError, "unknown shape 'latest'"),
        ("thing.weight over 7 seconds by lifetimes", InvalidRequestError, "by lifetimes: doubles can't be taken back"),
        ("thing.total over 7 seconds by differences", InvalidRequestError, "not all known so long after their event"),
        ("thing.total to date by lifetimes", InvalidRequestError, "by lifetimes: it has no such shape"),
        ("thing.readings.value by rows", InvalidRequestError, "the newest value is computed in one way"),
    ],
)
def test_a_shape_that_would_give_another_value_is_refused(text: str, kind: type[PenstockError], what: str) -> None:
    error = _refused(text)
    assert isinstance(error, kind)
    assert what in str(error)
    assert text in str(error)
