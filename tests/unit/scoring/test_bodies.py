"""What a call of a model's function stands for, as text of SQL."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sqlglot import exp, parse_one

from penstock.errors import InvalidRequestError
from penstock.scoring.bodies import body
from penstock.scoring.contract import Description, Field, Input, Param
from penstock.scoring.declared import parse_function
from penstock.scoring.linear.formula import Formula
from penstock.scoring.linear.from_sklearn import from_sklearn
from penstock.scoring.live import Held, Live

NUMBERS = Description(
    (Input("a", "DOUBLE", required=True), Input("b", "FLOAT", required=False)), (Field("prediction", "DOUBLE"),)
)
FRAME = pd.DataFrame({"a": [1.0, 2.0, 4.0, 3.0], "b": [1.0, 0.0, 0.0, 2.0]})


def linear(factor: float) -> Formula:
    return from_sklearn(LinearRegression().fit(FRAME, factor * FRAME["a"]))


def held(alias: str, version: int, formula: Formula | None = None, description: Description = NUMBERS) -> Held:
    engine = "linear" if formula else "library"
    used = tuple(each.name for each in description.inputs) if formula is None else formula.used
    return Held(Live(alias, version, engine, "d", f"file:///m/{version}"), description, used, formula)


def made(held_by: list[Held], given: list[str] | None = None, **declared: Any) -> str:
    aliases = {each.live.alias: each for each in held_by}
    return body(parse_function(declared, model="m"), aliases, ["a", "b"] if given is None else given)


def asked(text: str) -> tuple[dict[str, Any], list[str]]:
    """What a call of the workers says for all rows, and its columns."""
    call = parse_one(text, dialect="spark")
    assert isinstance(call, exp.Anonymous) and call.name == "penstock_score"
    told, *columns = call.expressions
    return json.loads(told.name), [each.sql("spark") for each in columns]


def test_the_workers_get_the_version_once_and_the_columns() -> None:
    told, columns = asked(made([held("champion", 3)]))
    assert told["versions"] == ["champion|3|library|d|file:///m/3"]
    assert (told["parts"], told["returns"], told["shadow"]) == (["prediction"], "DOUBLE", "")
    assert columns == ["CAST(`a` AS DOUBLE)", "CAST(`b` AS FLOAT)"]


def test_what_a_call_leaves_out_is_null_or_the_params_default() -> None:
    described = replace(NUMBERS, params=(Param("tone", "STRING", "it's"), Param("k", "BIGINT", None)))
    told, columns = asked(made([held("champion", 1, description=described)], given=["A", "k"]))
    assert (told["inputs"], told["params"]) == (["a", "b"], ["tone", "k"])
    assert columns == ["CAST(`A` AS DOUBLE)", "CAST(NULL AS FLOAT)", "CAST('it\\'s' AS STRING)", "CAST(`k` AS BIGINT)"]


def test_what_no_version_reads_is_not_passed_unless_a_policy_looks_at_it() -> None:
    tried = replace(held("tried", 2), used=("b",))
    for used, declared, expected in (
        (("a",), {}, ["a"]),
        ((), {}, ["a"]),
        (("a",), {"on_null": "skip"}, ["a", "b"]),
        (("a",), {"shadow": "tried", "returns": ["prediction", "shadow"]}, ["a", "b"]),
        (("a",), {"canary": {"alias": "tried", "share": 0.5, "key": "a"}}, ["a", "b"]),
    ):
        champion = replace(held("champion", 1), used=used)
        told, columns = asked(made([champion, tried], **declared))
        assert told["inputs"] == expected
        assert [each for each in columns if not each.startswith("IF(")] == [
            f"CAST(`{name}` AS {'DOUBLE' if name == 'a' else 'FLOAT'})" for name in expected
        ]


def test_a_canary_is_split_by_a_hash_that_anybody_can_work_out() -> None:
    split = {"canary": {"alias": "challenger", "share": 0.1, "key": "A"}}
    told, [which, *_] = asked(made([held("champion", 1), held("challenger", 2)], **split))
    assert [each.split("|")[1] for each in told["versions"]] == ["1", "2"]
    assert which == "IF(PMOD(XXHASH64(CAST(`a` AS DOUBLE)), 10000) < 1000, 1, 0)"
    told, columns = asked(made([held("champion", 1)], **split))
    assert (len(told["versions"]), len(columns)) == (1, 2), "no challenger yet"
    text = made([held("champion", 1, linear(2)), held("challenger", 2, linear(3))], **split)
    assert text.startswith("CAST(IF(PMOD(XXHASH64(CAST(`a` AS DOUBLE)), 10000) < 1000, penstock_counted(")
    assert "penstock_score" in made([held("champion", 1, linear(2)), held("challenger", 2)], **split)


def test_an_alias_without_a_version_is_told() -> None:
    for declared in ({}, {"shadow": "tried", "returns": ["prediction", "shadow"]}):
        lacking = "tried" if declared else "champion"
        with pytest.raises(InvalidRequestError, match=f"'m' has no version under the alias '{lacking}'"):
            made([held("champion", 1)] if declared else [], **declared)


STRICT = from_sklearn(make_pipeline(OneHotEncoder(), LinearRegression()).fit(pd.DataFrame({"a": [1.0, 2.0]}), [1, 2]))
TWO = from_sklearn(LogisticRegression().fit(FRAME, [0, 1, 1, 0]))
THREE = from_sklearn(LogisticRegression().fit(FRAME, [0, 1, 2, 0]))
CLASSES = replace(NUMBERS, fields=(Field("label", "BIGINT"),), classes=("0", "1"))


@pytest.mark.parametrize(
    ("formula", "description", "declared", "is_sql"),
    [
        (linear(2), NUMBERS, {}, True),
        (linear(2), NUMBERS, {"returns": ["prediction", "version", "variant"]}, True),
        (linear(2), NUMBERS, {"returns": ["prediction", "error"], "on_error": "skip"}, True),
        (linear(2), NUMBERS, {"on_null": "skip"}, True),
        (linear(2), NUMBERS, {"on_null": "error"}, False),
        (linear(2), NUMBERS, {"on_unknown": "skip"}, False),
        (linear(2), NUMBERS, {"returns": ["prediction", "shadow"], "shadow": "champion"}, False),
        (linear(2), replace(NUMBERS, params=(Param("k", "INT", 1),)), {}, False),
        (TWO, CLASSES, {}, True),
        (TWO, CLASSES, {"returns": "label"}, False),
        (TWO, CLASSES, {"returns": ["probability", "probabilities"]}, False),
        (THREE, replace(CLASSES, classes=("0", "1", "2")), {"returns": "probabilities"}, False),
        (STRICT, NUMBERS, {}, True),
        (STRICT, NUMBERS, {"on_error": "skip"}, False),
    ],
)
def test_a_linear_model_is_sql_where_that_says_the_same(
    formula: Formula, description: Description, declared: dict[str, Any], is_sql: bool
) -> None:
    assert ("penstock_score" not in made([held("champion", 1, formula, description)], **declared)) is is_sql


def test_names_of_inputs_are_quoted() -> None:
    name = "a'`b"
    described = Description((Input(name, "DOUBLE", required=True),), (Field("prediction", "DOUBLE"),))
    formula = from_sklearn(LinearRegression().fit(np.array([[1.0], [2.0]]), [1, 3]), [name])
    for each in (held("champion", 1, None, described), held("champion", 1, formula, described)):
        assert "`a'``b`" in made([each], given=[name])
