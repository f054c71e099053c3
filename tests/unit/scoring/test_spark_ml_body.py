"""The statement of a function whose version is a pipeline of Spark ML, and what cannot be declared of one."""

from __future__ import annotations

from typing import Any

import pytest

from penstock.errors import InvalidDefinitionError
from penstock.scoring.contract import Description, Field, Input
from penstock.scoring.declared import parse_function
from penstock.scoring.live import Live
from penstock.scoring.spark_ml.body import plan_body

LATE = Description(
    inputs=(Input("hour", "BIGINT", required=True), Input("o'clock", "STRING", required=False)),
    fields=(Field("label", "STRING"),),
    classes=("no", "yes"),
)
LIVE = Live("champion", 2, "spark", "abc", "file:/it's/2")


def test_it_names_the_version_and_the_inputs() -> None:
    body = plan_body(parse_function({"returns": ["label", "version"]}, model="delay"), LATE, LIVE)
    assert body.inputs == ("hour", "o'clock")
    assert (
        "(`hour` BIGINT, `o'clock` STRING)\nRETURNS STRUCT<`label`: STRING, `version`: INT>\n"
        "RETURN penstock_score_in_plan("
    ) in body.statement
    assert "'champion|2|spark|abc|file:/it\\'s/2',\n  `hour`,\n  `o'clock`)" in body.statement


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({"on_error": "skip"}, "on_error: skip cannot be had of a Spark ML model(.|\n)*fix: on_null: skip"),
        ({"returns": ["label", "contributions"]}, "'contributions' cannot be had of a Spark ML model"),
        ({"as_of": "2026-05-03"}, "canary, shadow and as_of cannot be had"),
        ({"canary": {"alias": "challenger", "share": 0.1}}, "canary, shadow and as_of cannot be had"),
    ],
)
def test_what_cannot_be_declared(declared: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidDefinitionError, match=message):
        plan_body(parse_function(declared, model="delay"), LATE, LIVE)
