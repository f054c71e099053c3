"""Alerts of several runs in Delta: what is open, what is sent, and that nothing is added twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from penstock.monitoring.alerts import record
from penstock.monitoring.alerts.findings import Finding
from penstock.monitoring.alerts.states import Alert, Outcome, alerts_of
from penstock.monitoring.alerts.tables import ALERTS, SENT

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

T0 = datetime(2026, 1, 1, 12, 30, 0, 123456, tzinfo=UTC)
HOSTILE = "feature=x'; DROP TABLE ml.alerts; --"
FAILED = Outcome("test.p.t", "t", "fct", "flights (Ada)", "error", [Finding(HOSTILE, 0.5, 1e-5, {"size": 0.5})])


def run(spark: SparkSession, number: int, *outcomes: Outcome) -> list[Alert]:
    """The alerts of a run, kept."""
    at = T0 + timedelta(hours=number)
    alerts = alerts_of(f"run {number}", at, outcomes, record.open_alerts(spark, before=at), ["test.p.t"])
    record.log_alerts(spark, alerts)
    return alerts


def commits(spark: SparkSession) -> list[int]:
    return [spark.sql(f"DESCRIBE HISTORY {table.name}").count() for table in (ALERTS, SENT)]


def test_alerts_of_runs_as_the_table_keeps_them(spark: SparkSession) -> None:
    for table in (ALERTS, SENT):
        spark.sql(f"DROP TABLE IF EXISTS {table.name}")
    assert (record.open_alerts(spark), record.unsent(spark), record.alerts_of_run(spark, "run 0")) == ({}, [], [])
    [first] = run(spark, 0, FAILED)
    assert record.alerts_of_run(spark, "run 0") == [first], "all of it comes back"
    assert record.unsent(spark) == [first]
    state = commits(spark)
    record.log_alerts(spark, [first])
    assert commits(spark) == state, "what is there is not added, and nothing is committed"

    # The webhook was not there. In the next run it is still open, told already, and still to be sent.
    [quiet] = run(spark, 1, FAILED)
    assert (quiet.reason, quiet.opened_at) == (None, first.at)
    assert record.unsent(spark) == [first]
    record.log_sent(spark, [first])
    state = commits(spark)
    record.log_sent(spark, [first])
    assert (record.unsent(spark), commits(spark)) == ([], state)
    [before] = record.open_alerts(spark).values()
    assert (before.last, before.told) == (quiet, first)
    assert record.open_alerts(spark, before=T0) == {}

    # It grows, and is over before anybody could be told of that: only the end is sent.
    [grown] = run(spark, 2, replace(FAILED, findings=[Finding(HOSTILE, 5.0)]))
    assert record.unsent(spark) == [grown]
    [over] = run(spark, 3, replace(FAILED, severity=None))
    assert record.unsent(spark) == [over]
    assert record.open_alerts(spark) == {}
    record.log_sent(spark, [over])
    assert record.unsent(spark) == []

    # What opened and ended unheard is not sent at all.
    run(spark, 4, replace(FAILED, findings=[Finding("b", 1.0)]))
    run(spark, 5, replace(FAILED, severity=None))
    assert record.unsent(spark) == []
