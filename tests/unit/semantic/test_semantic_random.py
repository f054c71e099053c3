"""Random requests over random worlds on DuckDB: our rows are the oracle's, and MetricFlow's where it answers.

PENSTOCK_EXAMPLES draws more worlds than every run does.
"""

from __future__ import annotations

import json
import logging
import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

import duckdb
import pytest
from compare import answer_of, begins, difference, loaded, once
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from oracle import Oracle
from oracle_looks import answer
from world_differences import kinds_of, known_difference
from world_metrics import worlds
from world_models import World
from world_requests import REFUSALS, looks, requests, value_requests

from penstock.manifest.load import load_manifest
from penstock.semantic import batch

EXAMPLES = int(os.environ.get("PENSTOCK_EXAMPLES", "150"))
_PHASES = [Phase.generate, Phase.shrink] if "PENSTOCK_EXAMPLES" in os.environ else [Phase.generate]  # shrinking is slow
DRAWN = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    deadline=None,
    database=None,
    report_multiple_bugs=False,
    phases=_PHASES,
    suppress_health_check=list(HealthCheck),
)
_KINDS = (
    "simple ratio derived cumulative conversion window grain_to_date offset_window offset_to_grain fill_nulls_with "
    "join_to_timespine non_additive_dimension sum count count_distinct average min max sum_boolean median percentile"
).split()


def test_our_answers_are_the_oracles() -> None:
    seen: Counter[str] = Counter()

    @DRAWN
    @given(st.data())
    def check(data: st.DataObject) -> None:
        world = data.draw(worlds())
        oracle = Oracle(world.manifest, {name: table.records() for name, table in world.tables.items()})
        con = loaded(world)
        drawn = [requests(world, limits=True), requests(world, limits=True), looks(world), value_requests(world)]
        for request, sql in _answered(world, [data.draw(one) for one in drawn], seen):
            got, expected = answer_of(con, sql), answer(oracle, request)
            if request.get("limit"):
                assert begins(got, expected, request["order_by"], request["limit"]), (request, sql)
            else:
                assert difference(got, expected) is None, (request, sql)
            seen["compared"] += 1
            seen["with rows"] += bool(expected[1])
            seen.update(kinds_of(world, request))

    check()
    assert seen["compared"] > 0.8 * seen["drawn"]
    assert seen["with rows"] > 0.4 * seen["compared"]
    assert not [kind for kind in _KINDS if not seen[kind]], seen


def test_our_answers_are_metricflows() -> None:
    pytest.importorskip("metricflow")
    from benchmarks.metricflow_sql import MetricFlow

    seen: Counter[str] = Counter()

    @DRAWN
    @given(st.data())
    def check(data: st.DataObject) -> None:
        world = data.draw(worlds())
        metricflow, con = MetricFlow(json.dumps(world.manifest)), loaded(world)
        drawn = [requests(world), requests(world), requests(world), value_requests(world)]
        for request, sql in _answered(world, [data.draw(one) for one in drawn], seen):
            if known_difference(world, request):
                continue
            try:
                theirs = once(answer_of(con, metricflow.sql(request)))
            except duckdb.BinderException:
                continue  # its SQL names a table that it doesn't read
            except Exception:
                continue  # it refuses, which it says in a hundred ways
            assert difference(answer_of(con, sql), theirs) is None, (request, sql)
            seen["compared"] += 1
            seen.update(kinds_of(world, request))

    logging.disable(logging.CRITICAL)
    try:
        check()
    finally:
        logging.disable(logging.NOTSET)
    assert seen["compared"] > 0.5 * seen["drawn"]
    assert not [kind for kind in _KINDS if not seen[kind]], seen


def _answered(world: World, drawn: list[dict[str, Any]], seen: Counter[str]) -> Iterator[tuple[dict[str, Any], str]]:
    """The requests with our SQL for them, but for those that have no answer."""
    manifest = load_manifest(world.manifest)
    for request in drawn:
        ours = batch.answer({**request, "dialect": "duckdb"}, manifest)
        seen["drawn"] += 1
        if "error" not in ours:
            yield request, ours["sql"]
        else:
            assert any(reason in ours["error"] for reason in REFUSALS), (request, ours["error"])
