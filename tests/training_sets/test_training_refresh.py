"""An incremental training set after changes of its inputs: few rows are computed, and all are as if all had been."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from places import SHORT_LIVED, make_place

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    place = make_place(tmp_path_factory.mktemp("refreshed"), HERE / "refreshed")
    place = place.with_variables(SHORT_LIVED)
    done = place.run(sys.executable, str(HERE / "refreshing.py"))
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout[done.stdout.index('{"first"') :])


def test_every_build_gives_the_rows_of_a_whole_one(outcomes: dict[str, Any]) -> None:
    for title, outcome in outcomes.items():
        if title in ("told", "backfills", "all rows"):
            continue
        for name in outcome.keys() & {"refreshed", "predicted"}:
            assert isinstance(outcome[name]["same"], int), (title, name, outcome[name]["same"])
            assert outcome[name]["same"] > 300, title


def test_the_first_build_is_whole_and_has_its_record_in_one_commit(outcomes: dict[str, Any]) -> None:
    [operation] = outcomes["first"]["refreshed"]["operations"]
    assert operation.endswith("TABLE AS SELECT")
    assert "refreshed_has_the_rows_of_its_spine" in outcomes["first"]["said"]


@pytest.mark.parametrize(
    ("title", "most"),
    [
        ("late orders", 60),  # what was asked of 5 of 8 shops since they are known, of 600
        ("new visits", 8),
        ("corrections", 300),
        ("an order deleted", 60),
    ],
)
def test_few_rows_are_computed(outcomes: dict[str, Any], title: str, most: int) -> None:
    found = outcomes[title]["refreshed"]
    assert found["operations"] == ["SET TBLPROPERTIES", "MERGE"]
    assert 0 < found["merged"] <= most


def test_where_nothing_changed_nothing_is_written_but_the_record(outcomes: dict[str, Any]) -> None:
    assert outcomes["nothing"]["refreshed"]["operations"][0] == "SET TBLPROPERTIES"
    assert outcomes["nothing"]["refreshed"]["merged"] is None


@pytest.mark.parametrize(
    ("title", "name", "reason"),
    [
        ("an order deleted", "predicted", "rows were removed, so labels may not be final any more"),
        ("a visit deleted", "refreshed", "1 rows left the spine"),
        ("untold", "refreshed", "the changes of penstock.orders are not told (delta.enableChangeDataFeed)"),
    ],
)
def test_what_is_not_told_makes_a_whole_build(outcomes: dict[str, Any], title: str, name: str, reason: str) -> None:
    assert f"{name}: built whole, for {reason}" in outcomes[title]["said"]
    assert outcomes[title][name]["operations"][0] == "CREATE OR REPLACE TABLE AS SELECT"


def test_freshness_and_maturity_are_told(outcomes: dict[str, Any]) -> None:
    """The newest order is paid in 2026; what is promised is 6 hours."""
    assert "old, but at most 6 hours are promised" in outcomes["told"]["freshness"]
    [told] = outcomes["told"]["labels"]
    assert told["freshness"]["orders"]["promised_seconds"] == 6 * 3600
    assert told["freshness"]["orders"]["age_seconds"] > 0
    rows = told["maturity"]
    assert rows["mature"] + rows["immature"] == rows["spine_rows"] > rows["mature"] > 300


def test_a_backfill_goes_on_where_it_broke(outcomes: dict[str, Any]) -> None:
    """Five weeks; two are written, the third is killed, and then rows come that the first ones have not seen."""
    found = outcomes["backfills"]
    assert found["runs"] == [[3, 2], [0, 5], [2, 0]]
    assert 0 < found["left"] < found["rows"]
    assert found["apart"] == 0
    assert found["new visits"] == 3  # only the other range has seen them
    assert found["commits"] == 7


def test_a_backfill_of_all_rows_is_a_build_that_goes_on(outcomes: dict[str, Any]) -> None:
    assert outcomes["backfills"]["recorded"] == [False, False, False]
    found = outcomes["all rows"]
    assert found["recorded"] == [True, True]
    assert found["commits"] == 4  # made, two slices, the record; the second run changes nothing
    assert found["whole"]["same"] > 200
    assert "backfilled: refreshed after changed rows" in found["said"]
    assert found["after"]["operations"] == ["SET TBLPROPERTIES", "MERGE"]
    assert 0 < found["after"]["merged"] < found["whole"]["same"] == found["after"]["same"]
