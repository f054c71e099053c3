"""The SQL of an incremental model that scores, and the functions that it refuses."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from penstock.errors import InvalidRequestError
from penstock.scoring.contract import Description, Field, Input
from penstock.scoring.declared import parse_function
from penstock.scoring.incremental import Scorer, Source, row_hash, scored_sql

SOURCE = Source("s.flights", ("flight_id", "hour", "carrier"), 12)
DESCRIBED = Description((Input("hour", "BIGINT", required=True),), (Field("prediction", "DOUBLE"),))


def scorer(**declared: Any) -> Scorer:
    declared = {"name": "checked", "returns": ["prediction", "version"], **declared}
    return Scorer(parse_function({"model": "delay", **declared}), DESCRIBED, version=3)


def test_all_rows_at_first_each_with_what_it_was_made_of() -> None:
    sql = scored_sql(SOURCE, ["flight_id"], scorer(), built=None)
    assert "ANTI JOIN" not in sql
    assert "FROM s.flights VERSION AS OF 12" in sql
    assert "predict('checked', changed.*) AS score" in sql
    names = re.findall(r"(?:^  |AS )(`?\w+`?),?$", sql.split("\nFROM (")[0], re.M)
    assert names == [
        "`flight_id`",
        "`prediction`",
        "`version`",
        "row_hash",
        "scored_by",
        "source",
        "source_version",
        "scored_at",
    ]


def test_later_only_rows_that_are_not_stored_so() -> None:
    sql = scored_sql(SOURCE, ["flight_id", "leg"], scorer(), built="s.scores")
    assert (
        "LEFT ANTI JOIN s.scores AS held ON held.`flight_id` <=> new.`flight_id` AND held.`leg` <=> new.`leg`"
        " AND held.row_hash = new.__row_hash AND held.`version` = 3"
    ) in sql


def test_a_source_without_versions_is_read_as_it_is() -> None:
    sql = scored_sql(replace(SOURCE, version=None), ["flight_id"], scorer(), built=None)
    assert "VERSION AS OF" not in sql
    assert "CAST(NULL AS BIGINT) AS source_version" in sql


@pytest.mark.parametrize(
    "declared",
    [
        {"on_null": "skip"},
        {"on_error": "skip"},
        {"returns": ["version", "prediction"]},
        {"top": 4},
        {"model": "other"},
    ],
)
def test_the_declaration_is_part_of_the_hash(declared: dict[str, Any]) -> None:
    assert row_hash(scorer(**declared), ["hour"]) != row_hash(scorer(), ["hour"])


def test_another_shadow_is_part_of_the_hash_and_words_are_not() -> None:
    assert row_hash(replace(scorer(), shadow=4), ["hour"]) != row_hash(scorer(), ["hour"])
    assert row_hash(scorer(description="other words", alias="v3"), ["hour"]) == row_hash(scorer(), ["hour"])


@pytest.mark.parametrize(
    ("declared", "key", "message"),
    [
        ({"returns": ["prediction"]}, "flight_id", "does not tell it\n.*\n  fix: .*returns: \\[prediction, version\\]"),
        ({"returns": ["version"]}, "flight_id", "does not tell it\n.*\n  fix: .*returns: \\[…, version\\]"),
        ({"canary": {"alias": "challenger", "share": 0.1}}, "flight_id", "a canary has two"),
        ({}, "VERSION", "column 'VERSION' of the key has the name of what scoring adds"),
        ({}, "row_hash", "column 'row_hash' of the key"),
    ],
)
def test_what_cannot_be_scored_incrementally_is_told(declared: dict[str, Any], key: str, message: str) -> None:
    with pytest.raises(InvalidRequestError, match=message):
        scored_sql(SOURCE, [key], scorer(**declared), built=None)


def test_names_are_quoted() -> None:
    described = replace(DESCRIBED, inputs=(Input("a'`b", "DOUBLE", required=True),))
    sql = scored_sql(
        replace(SOURCE, columns=("a'`b",)), ["k`"], replace(scorer(), description=described), built="s.scores"
    )
    assert "CAST(`a'``b` AS DOUBLE) IS NULL" in sql
    assert "held.`k``` <=> new.`k```" in sql
