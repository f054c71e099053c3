"""The tables of alerts: what each run says of each, and what was sent. Rows are only ever added."""

from __future__ import annotations

from penstock.monitoring.record.tables import Column, Table
from penstock.scoring.functions import SCHEMA

_LOGGED = Column("logged_at", "TIMESTAMP", "When the row was written here.", required=True)

ALERTS = Table(
    f"{SCHEMA}.alerts",
    (
        Column("alert_id", "STRING", "uuid5 of the run, the test and the subject.", required=True),
        Column("test_id", "STRING", "dbt's id of the test.", required=True),
        Column("subject", "STRING", "What of the table it is about; empty of the whole.", required=True),
        Column("monitor", "STRING", "The test's name.", required=True),
        Column("model", "STRING", "What the test is on.", required=True),
        Column("owner", "STRING", "Who owns it, by dbt's groups; empty where nobody is told.", required=True),
        Column("severity", "STRING", "error or warn.", required=True),
        Column("state", "STRING", "open, or resolved.", required=True),
        Column("reason", "STRING", "Why it is told in this run; NULL where it is not."),
        Column("effect", "DOUBLE", "How large it is, in the unit of the test."),
        Column("p", "DOUBLE", "How likely it is by chance, where the test tells it."),
        Column("evidence", "STRING", "The test's row, as JSON.", required=True),
        Column("message", "STRING", "What dbt says.", required=True),
        Column("invocation_id", "STRING", "The run of dbt.", required=True),
        Column("at", "TIMESTAMP", "When the run ended.", required=True),
        Column("opened_at", "TIMESTAMP", "When the run ended that opened it.", required=True),
        _LOGGED,
    ),
    key=("alert_id",),
    time="at",
    comment="What each run of the tests says of each alert; never changed.",
)

SENT = Table(
    f"{SCHEMA}.alerts_sent",
    (
        Column("alert_id", "STRING", "The row of ml.alerts.", required=True),
        Column("by", "STRING", "The way it was sent.", required=True),
        _LOGGED,
    ),
    key=("alert_id", "by"),
    time="logged_at",
    comment="The alerts that were sent; never changed.",
)
