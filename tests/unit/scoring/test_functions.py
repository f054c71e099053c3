from __future__ import annotations

import pytest

from penstock.errors import InvalidDefinitionError
from penstock.scoring.functions import Input, create_function


def test_statement() -> None:
    inputs = (Input("hour", "long", required=True), Input("gust", "double", required=False, comment="The wind's."))
    assert create_function("delay", inputs, comment="It's a score.") == (
        "CREATE OR REPLACE FUNCTION ml.`delay` (`hour` BIGINT, `gust` DOUBLE DEFAULT NULL COMMENT 'The wind\\'s.')\n"
        "RETURNS DOUBLE\nCOMMENT 'It\\'s a score.'\n"
        "RETURN penstock_score_double(\n"
        "  (SELECT MAX(source) FROM ml.model_aliases WHERE model = 'delay' AND alias = 'champion'),\n"
        "  NAMED_STRUCT('hour', `delay`.`hour`, 'gust', `delay`.`gust`))"
    )


def test_only_trailing_optional_inputs_have_defaults() -> None:
    inputs = (Input("a", "double", required=False), Input("b", "string", required=True))
    assert "(`a` DOUBLE, `b` STRING)" in create_function("m", inputs, comment="")


def test_names_of_inputs_are_quoted() -> None:
    sql = create_function("m", (Input("a'`b", "double", required=True),), comment="")
    assert "(`a'``b` DOUBLE)" in sql
    assert "'a\\'`b', `m`.`a'``b`" in sql


@pytest.mark.parametrize("name", ["m`; DROP TABLE t; --", "late arrivals", "späte", ""])
def test_a_name_that_no_function_can_have_is_refused(name: str) -> None:
    with pytest.raises(InvalidDefinitionError, match="cannot be the name of a SQL function"):
        create_function(name, (), comment="")


def test_unknown_type_is_refused() -> None:
    with pytest.raises(InvalidDefinitionError, match="input 'when' is of MLflow type object"):
        create_function("m", (Input("when", "object", required=True),), comment="")
