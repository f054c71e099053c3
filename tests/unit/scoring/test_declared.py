"""Functions as YAML declares them, and what is wrong with declarations."""

from __future__ import annotations

from typing import Any

import pytest

from penstock.errors import PenstockError
from penstock.registry.functions import parse_stored
from penstock.registry.sync import parse_functions
from penstock.scoring.contract import Description, Field, Input
from penstock.scoring.declared import Canary, parse_function

CHANCES = "MAP<STRING, DOUBLE>"
INPUTS = (Input("a", "DOUBLE", required=True),)
BINARY = Description(INPUTS, (Field("label", "STRING"),), ("no", "yes"))
THREE = Description(INPUTS, (Field("label", "STRING"),), ("a", "b", "c"))
NUMBER = Description(INPUTS, (Field("prediction", "DOUBLE"),))
QUANTILES = Description(INPUTS, (Field("q10", "DOUBLE"), Field("q90", "FLOAT")))


@pytest.mark.parametrize(
    ("declared", "description", "expected"),
    [
        ({}, BINARY, "DOUBLE"),
        ({}, THREE, "STRING"),
        ({}, NUMBER, "DOUBLE"),
        ({}, QUANTILES, "STRUCT<`q10`: DOUBLE, `q90`: FLOAT>"),
        ({"returns": "q90"}, QUANTILES, "FLOAT"),
        ({"returns": ["label", "probabilities"]}, THREE, f"STRUCT<`label`: STRING, `probabilities`: {CHANCES}>"),
        ({"returns": ["q90", "error"], "on_error": "skip"}, QUANTILES, "STRUCT<`q90`: FLOAT, `error`: STRING>"),
        (
            {"returns": ["prediction", "shadow"], "shadow": "challenger"},
            NUMBER,
            "STRUCT<`prediction`: DOUBLE, `shadow`: DOUBLE>",
        ),
    ],
)  # fmt: skip
def test_types(declared: dict[str, Any], description: Description, expected: str) -> None:
    assert parse_function(declared, model="m").type(description) == expected


def test_all_aliases_that_score_for_a_function() -> None:
    assert parse_function({}, model="m").aliases == ("champion",)
    split = {"alias": "new", "canary": {"alias": "ch", "share": 0.1}, "shadow": "old", "returns": ["label", "shadow"]}
    assert parse_function(split, model="m").aliases == ("new", "ch", "old")


def test_what_is_stored_is_what_was_declared() -> None:
    for declared in (
        {"name": "f", "version": 3, "environment": "isolated"},
        {
            "returns": ["label", "version"],
            "on_null": "skip",
            "on_unknown": "error",
            "canary": {"alias": "ch", "share": 0.25, "key": "a"},
        },
    ):
        function = parse_function(declared, model="m")
        import json

        assert parse_stored(json.dumps(function.as_json())) == function
    assert function.canary == Canary("ch", 0.25, "a")


WITH_LEVELS = Description((*INPUTS, Input("k", "STRING", required=True, levels=("x",))), NUMBER.fields)


@pytest.mark.parametrize("policy", ["skip", "error"])
def test_a_policy_on_unknown_levels_needs_a_version_that_knows_some(policy: str) -> None:
    parse_function({}, model="m").check_levels(NUMBER)
    declared = parse_function({"on_unknown": policy}, model="m")
    declared.check_levels(WITH_LEVELS)
    with pytest.raises(
        PenstockError, match=f"on_unknown is '{policy}', and the model says of no input(.|\n)*function m"
    ):
        declared.check_levels(NUMBER)


@pytest.mark.parametrize(
    ("declared", "used", "expected"),
    [
        ({}, ("a",), ("a",)),
        ({}, (), ()),
        ({"on_null": "skip"}, ("a",), ("a", "k")),
        ({"on_unknown": "error"}, (), ("k",)),
        ({"on_unknown": "error"}, ("a",), ("a", "k")),
    ],
)
def test_workers_get_what_is_used_and_what_a_policy_looks_at(
    declared: dict[str, Any], used: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    assert parse_function(declared, model="m").reads(WITH_LEVELS, used) == expected


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({"retuns": "label"}, "unknown key 'retuns'(.|\n)*did you mean: returns"),
        ({"name": "m`; DROP TABLE t; --"}, "cannot be the name of a SQL function"),
        ({"name": "späte"}, "cannot be the name of a SQL function"),
        ({"name": "n", "model": "late arrivals"}, "cannot be the model of a SQL function"),
        ({"on_null": "nil"}, "on_null is 'nil'(.|\n)*model, skip, error"),
        ({"on_unknown": "null"}, "on_unknown is 'null'(.|\n)*model, skip, error"),
        ({"on_error": None}, "on_error is None"),
        ({"returns": 3}, "returns is 3"),
        ({"returns": ["label", "label"]}, "names a part twice"),
        ({"returns": ["label", "error"]}, "a row that fails ends the query(.|\n)*on_error: skip"),
        ({"version": "3"}, "version is '3'"),
        ({"version": True, "alias": "champion"}, "and alias 'champion'"),
        ({"top": 0}, "top is 0"),
        ({"environment": "isolate"}, "environment is 'isolate'(.|\n)*local, isolated"),
        ({"shadow": "challenger"}, "and the part that shows it"),
        ({"canary": {"alias": "ch", "share": 1.5}}, "share of the canary is 1.5"),
        ({"canary": "ch"}, "canary is 'ch'"),
        ({"as_of": "yesterday"}, "as_of is 'yesterday'"),
        ("champion", "declared as a mapping"),
    ],
)
def test_mistakes(declared: Any, message: str) -> None:
    with pytest.raises(PenstockError, match=message):
        parse_function(declared, model="m", where="models/m.yml")


@pytest.mark.parametrize(
    ("returns", "description", "message"),
    [
        ("lable", BINARY, "unknown part 'lable'(.|\n)*did you mean: label"),
        ("probability", THREE, "this model has 3 classes"),
        ("probabilities", NUMBER, "of a classifier with probabilities"),
    ],
)
def test_a_version_that_does_not_give_it(returns: str, description: Description, message: str) -> None:
    with pytest.raises(PenstockError, match=message):
        parse_function({"returns": returns}, model="m").type(description)


def test_a_list_of_functions() -> None:
    assert [f.name for f in parse_functions([{}, {"name": "n"}], model="m", where="m.yml")] == ["m", "n"]
    with pytest.raises(PenstockError, match="function 'm' is declared twice"):
        parse_functions([{}, {"name": "M"}], model="m", where="m.yml")
    with pytest.raises(PenstockError, match="a list of mappings"):
        parse_functions({"name": "m"}, model="m", where="m.yml")
