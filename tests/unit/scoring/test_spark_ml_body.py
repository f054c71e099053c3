"""The statement of a function whose version is a pipeline of Spark ML, and what cannot be declared of one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from penstock.errors import InvalidDefinitionError
from penstock.scoring.bodies import body
from penstock.scoring.contract import Description, Field, Input
from penstock.scoring.declared import parse_function
from penstock.scoring.live import Held, Live

LATE = Description(
    inputs=(Input("hour", "BIGINT", required=True), Input("o'clock", "STRING", required=False)),
    fields=(Field("label", "STRING"),),
    classes=("no", "yes"),
)
HELD = Held(Live("champion", 2, "spark", "abc", "file:/it's/2"), LATE, ("hour", "o'clock"))


def made(declared: dict[str, Any], **others: Held) -> str:
    return body(parse_function(declared, model="delay"), {"champion": HELD, **others}, ["hour", "o'clock"])


def test_it_names_the_version_and_the_inputs() -> None:
    text = made({"returns": ["label", "version"]})
    use = '["delay", 2, "delay", "spark", "", ""]'
    assert text.startswith(f"CAST(penstock_counted('{use}', FALSE, penstock_score_in_plan('{{")
    assert text.endswith(
        "'champion|2|spark|abc|file:/it\\'s/2', CAST(`hour` AS BIGINT), CAST(`o'clock` AS STRING)))"
        " AS STRUCT<`label`: STRING, `version`: INT>)"
    )


def test_a_canary_is_another_of_spark() -> None:
    other = replace(HELD, live=replace(HELD.live, alias="challenger", version=3))
    split = {"canary": {"alias": "challenger", "share": 0.1, "key": "hour"}}
    text = made(split, challenger=other)
    assert text.startswith("CAST(IF(PMOD(XXHASH64(CAST(`hour` AS BIGINT)), 10000) < 1000, penstock_counted(")
    assert text.index("challenger|3") < text.index("champion|2")
    with pytest.raises(InvalidDefinitionError, match="a canary of a Spark ML model and one that the workers score"):
        made(split, challenger=replace(other, live=replace(other.live, engine="library")))


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({"on_error": "skip"}, "on_error: skip cannot be had of a Spark ML model(.|\n)*fix: on_null: skip"),
        ({"returns": ["label", "contributions"]}, "'contributions' cannot be had of a Spark ML model"),
        ({"shadow": "tried", "returns": ["label", "shadow"]}, "a shadow cannot be had"),
    ],
)
def test_what_cannot_be_declared(declared: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidDefinitionError, match=message):
        made(declared)
