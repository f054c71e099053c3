"""The statement that makes a model's function."""

from __future__ import annotations

from penstock.scoring.contract import Description, Field, Input, Param
from penstock.scoring.declared import parse_function
from penstock.scoring.functions import function_statement

LATE = Description(
    inputs=(Input("hour", "BIGINT", required=True), Input("gust", "DOUBLE", required=False, comment="The wind's.")),
    fields=(Field("label", "BIGINT"),),
    classes=("0", "1"),
)


def test_it_says_what_callers_see_and_not_how_it_is_scored() -> None:
    assert function_statement(parse_function({}, model="delay"), LATE, comment="It's a score.") == (
        "CREATE OR REPLACE FUNCTION ml.`delay` (`hour` BIGINT, `gust` DOUBLE DEFAULT NULL COMMENT 'The wind\\'s.')\n"
        "RETURNS DOUBLE\nCOMMENT 'It\\'s a score.'\n"
        "RETURN penstock_call('delay', `hour` => `hour`, `gust` => `gust`)"
    )


def test_only_trailing_optional_inputs_have_defaults_and_params_have_theirs() -> None:
    described = Description(
        inputs=(Input("a'`b", "DOUBLE", required=False), Input("b", "STRING", required=True)),
        fields=(Field("prediction", "DOUBLE"),),
        params=(Param("share", "DOUBLE", 0.5), Param("tone", "STRING", "it's")),
    )
    sql = function_statement(parse_function({}, model="m"), described, comment="")
    assert "(`a'``b` DOUBLE, `b` STRING, `share` DOUBLE DEFAULT CAST(0.5 AS DOUBLE)," in sql
    assert "`tone` STRING DEFAULT CAST('it\\'s' AS STRING))" in sql
