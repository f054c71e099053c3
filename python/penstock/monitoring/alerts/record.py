"""Alerts in Delta: those that are open, those of a run, those that nobody was sent yet. One commit a step."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import Any

from sqlglot import exp

from penstock.monitoring.alerts.states import OPEN, Alert, Before, Key
from penstock.monitoring.alerts.tables import ALERTS, SENT
from penstock.monitoring.record.append import insert_once
from penstock.monitoring.record.tables import Table, ensure
from penstock.monitoring.words import spark_sql

WEBHOOK = "webhook"
MOST_SENT = 100
"""How many alerts are sent at once; what is left is sent by the next run."""
_FIELDS = tuple(each.name for each in fields(Alert))


def alerts_of_run(spark: Any, invocation_id: str) -> list[Alert]:
    """The alerts that a run of dbt has made already, by the order of their monitors and subjects.

    Args:
        spark: A session.
        invocation_id: dbt's id of the run.
    """
    if not spark.catalog.tableExists(ALERTS.name):
        return []
    of_run = exp.column("invocation_id").eq(exp.Literal.string(invocation_id))
    return _alerts(spark.table(ALERTS.name).where(of_run.sql("spark")).orderBy("monitor", "subject").collect())


def open_alerts(spark: Any, *, before: datetime | None = None) -> dict[Key, Before]:
    """The alerts that are open, as the last run saw them and as they were told last.

    Args:
        spark: A session.
        before: Only what runs said that ended before then.
    """
    if not spark.catalog.tableExists(ALERTS.name):
        return {}
    seen = ", ".join(f"'{name}', {name}" for name in _FIELDS)
    told = exp.select("test_id", "subject").from_(ALERTS.name).group_by("test_id", "subject")
    told = told.select(
        spark_sql(f"MAX_BY(NAMED_STRUCT({seen}), at) AS last"),
        spark_sql(f"MAX_BY(NAMED_STRUCT({seen}), CASE WHEN NOT reason IS NULL THEN at END) AS told"),
    ).having(f"MAX_BY(state, at) = '{OPEN}'")
    if before is not None:
        told = told.where(exp.column("at") < _time(before))
    rows = spark.sql(told.sql("spark")).collect()
    lasts, tolds = (_alerts([row[name] for row in rows]) for name in ("last", "told"))
    return {last.key: Before(last, told) for last, told in zip(lasts, tolds, strict=True)}


def log_alerts(spark: Any, alerts: Sequence[Alert]) -> None:
    """Add the alerts of a run that are not there."""
    _append(spark, ALERTS, [{"alert_id": each.id, **asdict(each)} for each in alerts])


def unsent(spark: Any, by: str = WEBHOOK) -> list[Alert]:
    """The alerts whose newest telling was not sent: `MOST_SENT` at most, errors first.

    What was told and is told otherwise by now is not sent any more, nor is the end of what nobody heard of.

    Args:
        spark: A session.
        by: The way of sending.
    """
    if not spark.catalog.tableExists(ALERTS.name):
        return []
    ensure(spark, SENT)
    sent = exp.select("alert_id").from_(SENT.name).where(exp.column("by", quoted=True).eq(exp.Literal.string(by)))
    seen = ", ".join(f"'{name}', a.{name}" for name in ("alert_id", *_FIELDS))
    newest = (
        exp.select(
            spark_sql(f"MAX_BY(NAMED_STRUCT({seen}), a.at) AS alert"),
            spark_sql("MAX_BY(s.alert_id, a.at) AS sent"),
            spark_sql("MAX_BY(a.state, CASE WHEN NOT s.alert_id IS NULL THEN a.at END) AS heard"),
        )
        .from_(exp.alias_(exp.to_table(ALERTS.name), "a", table=True))
        .join(sent.subquery("s"), on="s.alert_id = a.alert_id", join_type="left")
        .where("NOT a.reason IS NULL")
        .group_by("a.test_id", "a.subject")
    )
    due = exp.select("alert.*").from_(newest.subquery("newest")).where(
        "sent IS NULL", f"alert.state = '{OPEN}' OR heard = '{OPEN}'"
    ).order_by("alert.severity", "alert.at", "alert.alert_id").limit(MOST_SENT)  # fmt: skip
    return _alerts(spark.sql(due.sql("spark")).collect())


def log_sent(spark: Any, alerts: Collection[Alert], by: str = WEBHOOK) -> None:
    """Remember that alerts were sent."""
    _append(spark, SENT, [{"alert_id": each.id, "by": by} for each in alerts])


def _append(spark: Any, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    own = [each for each in table.columns if each.name != "logged_at"]
    schema = ", ".join(f"`{each.name}` {each.type}" for each in own)
    insert_once(spark, table, spark.createDataFrame([tuple(row[each.name] for each in own) for row in rows], schema))


def _alerts(rows: Sequence[Any]) -> list[Alert]:
    def value(row: Any, name: str) -> Any:
        # Spark gives times as those of this machine's clock.
        return row[name].astimezone(UTC) if name in ("at", "opened_at") else row[name]

    return [Alert(**{name: value(row, name) for name in _FIELDS}) for row in rows]


def _time(at: datetime) -> exp.Expr:
    return spark_sql(f"TIMESTAMP '{at.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f} UTC'")
