"""The statements that make a model's functions."""

from __future__ import annotations

from penstock.scoring.contract import Description, Field, Input, Param
from penstock.scoring.declared import parse_function
from penstock.scoring.functions import facade, worker_body

LATE = Description(
    inputs=(Input("hour", "BIGINT", required=True), Input("gust", "DOUBLE", required=False, comment="The wind's.")),
    fields=(Field("label", "BIGINT"),),
    classes=("0", "1"),
)


def test_the_facade_says_what_callers_see_and_not_how_it_is_scored() -> None:
    function = parse_function({}, model="delay")
    body = worker_body(function, LATE)
    assert facade(function, LATE, body, comment="It's a score.") == (
        "CREATE OR REPLACE FUNCTION ml.`delay` (`hour` BIGINT, `gust` DOUBLE DEFAULT NULL COMMENT 'The wind\\'s.')\n"
        "RETURNS DOUBLE\nCOMMENT 'It\\'s a score.'\n"
        f"RETURN penstock_call('delay/{body.name}', `hour` => `hour`, `gust` => `gust`)"
    )


def test_the_body_reads_the_version_once_a_query() -> None:
    statement = worker_body(parse_function({}, model="delay"), LATE).statement
    assert (
        "(SELECT MAX(CONCAT_WS('|', alias, version, engine, digest, source)) FROM ml.model_aliases"
        " WHERE model = 'delay' AND alias = 'champion')"
    ) in statement
    assert "NAMED_STRUCT('hour', `hour`, 'gust', `gust`)" in statement


def test_a_body_is_named_by_its_text() -> None:
    plain, labels = (worker_body(parse_function(f, model="delay"), LATE) for f in ({}, {"returns": "label"}))
    assert plain.name != labels.name
    assert worker_body(parse_function({"description": "other words"}, model="delay"), LATE).name == plain.name


def test_only_trailing_optional_inputs_have_defaults_and_params_have_theirs() -> None:
    described = Description(
        inputs=(Input("a", "DOUBLE", required=False), Input("b", "STRING", required=True)),
        fields=(Field("prediction", "DOUBLE"),),
        params=(Param("share", "DOUBLE", 0.5), Param("tone", "STRING", "it's")),
    )
    function = parse_function({}, model="m")
    body = worker_body(function, described)
    sql = facade(function, described, body, comment="")
    assert "(`a` DOUBLE, `b` STRING, `share` DOUBLE DEFAULT CAST(0.5 AS DOUBLE)," in sql
    assert "`tone` STRING DEFAULT CAST('it\\'s' AS STRING))" in sql
    assert "NAMED_STRUCT('share', `share`, 'tone', `tone`)" in body.statement


def test_names_of_inputs_are_quoted() -> None:
    described = Description((Input("a'`b", "DOUBLE", required=True),), (Field("prediction", "DOUBLE"),))
    body = worker_body(parse_function({}, model="m"), described)
    assert "(`a'``b` DOUBLE)" in body.statement
    assert "'a\\'`b', `a'``b`" in body.statement


def test_a_canary_is_split_by_a_hash_that_anybody_can_work_out() -> None:
    declared = {"canary": {"alias": "challenger", "share": 0.1, "key": "hour"}}
    statement = worker_body(parse_function(declared, model="delay"), LATE).statement
    assert "IF(PMOD(XXHASH64(`hour`), 10000) < 1000, COALESCE((SELECT MAX(" in statement
    assert "alias = 'challenger'" in statement


def test_an_earlier_time_is_read_from_the_history_of_aliases() -> None:
    statement = worker_body(parse_function({"as_of": "2026-05-03"}, model="delay"), LATE).statement
    assert "FROM ml.model_aliases TIMESTAMP AS OF '2026-05-03' WHERE" in statement
