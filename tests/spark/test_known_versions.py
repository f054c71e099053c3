"""Tables that hold versions, on Spark: requests and a metric view, against plain SQL over the right versions."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from frames import shop_of
from naive import ordered
from questions import QUESTIONS
from test_versions import HISTORIES, HISTORY, KNOWN, MOMENTS, PLAIN, VERSIONED

from penstock.semantic import MetricRequest, compile_request, metric_view
from penstock.semantic.key_checks import key_checks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyspark.sql import SparkSession

TITLES = (
    "keys that join nothing",
    "by what each customer spent",
    "thirty days to the end of a week",
    "which conversions were known",
    "what was known of a week and a day ago",
    "by the many orders of a refund's customer",
)


@pytest.fixture(scope="module")
def held(spark: SparkSession) -> Iterator[SparkSession]:
    """A session of its own with the shop's tables as histories."""
    with shop_of(spark, HISTORY, (*HISTORIES, "days")) as session:
        yield session


@pytest.mark.parametrize("moment", [None, MOMENTS[1]])
@pytest.mark.parametrize("ansi", ["true", "false"])
def test_the_versions_known_last_count(held: SparkSession, ansi: str, moment: str | None) -> None:
    held.conf.set("spark.sql.ansi.enabled", ansi)
    for title in TITLES:
        request = replace(QUESTIONS[title].request, known_at=moment)
        found = ordered(held.sql(compile_request(VERSIONED, request, "spark").sql).collect())
        over_right_rows = compile_request(PLAIN, request, "duckdb").sql
        assert found == ordered(KNOWN[moment or ""].execute(over_right_rows).fetchall()), title


def test_a_metric_view_has_them_too(held: SparkSession) -> None:
    view = metric_view(VERSIONED, "orders", metrics=("revenue", "buyers"), dimensions=("customer__name",))
    held.sql(f"CREATE VIEW shop.versioned_metrics WITH METRICS LANGUAGE YAML AS $$\n{view.yaml}\n$$")
    sql = "SELECT customer__name, MEASURE(revenue), MEASURE(buyers) FROM shop.versioned_metrics GROUP BY 1"
    request = MetricRequest(("revenue", "buyers"), ("customer__name",))
    wanted = KNOWN[""].execute(compile_request(PLAIN, request, "duckdb").sql).fetchall()
    assert ordered(held.sql(sql).collect()) == ordered(wanted)


def test_keys_are_checked_among_the_last_versions(held: SparkSession) -> None:
    found = {tuple(row) for row in held.sql(key_checks(VERSIONED, "spark")).collect()}
    assert found == set(HISTORY.execute(key_checks(VERSIONED, "duckdb")).fetchall())
