"""What is not as usual, on DuckDB: against numpy and scipy, by simulation, and where there is little or nothing."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import duckdb
import numpy as np
import pytest
from scipy import stats
from sqlglot import exp

from penstock.errors import InvalidRequestError, UnknownNameError
from penstock.monitoring.anomalies.judge import judged
from penstock.monitoring.anomalies.series import Buckets
from penstock.monitoring.anomalies.usual import FINDINGS, Usual, findings

START = datetime(2026, 1, 5)  # a Monday
DAY = timedelta(days=1)


def answer(query: exp.Query, **tables: dict[str, list[Any]]) -> list[dict[str, Any]]:
    """The rows of a query over tables by their columns."""
    import pandas as pd

    connection = duckdb.connect()
    for name, columns in tables.items():
        connection.register(name, pd.DataFrame(columns))
    cursor = connection.execute(query.sql("duckdb"))
    names = [each[0] for each in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def series(values: Any, noise: float = 0.0, what: Any = "level", season: Any = 0) -> dict[str, Any]:
    values = np.asarray(values, float)
    return {
        "what": what, "column_name": "", "season": season, "at": [START + at * DAY for at in range(len(values))],
        "measure": values, "value": values, "noise": noise,
    }  # fmt: skip


def judge(given: dict[str, Any], past: int = 30, min_past: int = 3, last: int = 1) -> list[dict[str, Any]]:
    query = judged(exp.select("*").from_("given"), "duckdb", past=past, min_past=min_past, last=last)
    return answer(query, given=given)


def rows_of_days(counts: list[int], nulls: list[int] | None = None) -> dict[str, list[Any]]:
    """A table of so many rows a day, the first of which have no `x`."""
    days = [(day, n, 0 if nulls is None else nulls[day]) for day, n in enumerate(counts)]
    return {
        "moment": [START + day * DAY + i * DAY / 20_000 for day, n, _ in days for i in range(n)],
        "x": [None if i < empty else 1.0 for _, n, empty in days for i in range(n)],
        "y": [1.0 for _, n, _ in days for _ in range(n)],
    }


def found(table: dict[str, list[Any]], days: int, **asked: Any) -> list[dict[str, Any]]:
    season = asked.pop("season", None)
    buckets = Buckets("moment", season=season, as_of=str(START + days * DAY))
    usual = Usual(**{"checks": ("volume", "nulls"), "columns": ("x", "y"), **asked}, buckets=buckets)
    return answer(findings("given", usual, "duckdb"), given=table)


@pytest.mark.parametrize("k", [3, 10, 11, 30])
def test_a_point_is_judged_as_numpy_and_scipy_would(k: int) -> None:
    draw = np.random.default_rng(k)
    values = draw.normal(100, 7, k + 6)
    values[-1] += 20
    [row] = judge(series(values), past=k)
    past = values[-k - 1 : -1]
    scale = stats.median_abs_deviation(past, scale="normal") * k / (k - 0.8)
    t = abs(values[-1] - np.median(past)) / (scale * np.sqrt(1 + np.pi / (2 * k)))
    freedom = max(1, 0.37 * (k - 1))
    z = np.sqrt(freedom * np.log1p(t * t / freedom)) * (8 * freedom + 1) / (8 * freedom + 3)
    assert row["p"] == pytest.approx(2 * stats.norm.sf(z), rel=1e-9)
    if k >= 10:
        assert row["p"] == pytest.approx(2 * stats.t.sf(t, freedom), rel=0.35, abs=1e-9), "Wallace's is near Student's"
    assert row["expected"] == pytest.approx(np.median(past))
    assert row["effect"] == pytest.approx(values[-1] - np.median(past))
    assert (row["found"], row["past"], row["at"]) == (values[-1], k, START + (k + 5) * DAY)


def test_false_alarms_are_as_rare_as_is_said() -> None:
    """5,000 series without a change: of p-values of at most alpha there are at most a share of alpha."""
    draw = np.random.default_rng(7)
    for k in (10, 30):
        n = 5_000
        given = series(draw.normal(0, 1, n * (k + 1)), what=np.repeat([f"s{at}" for at in range(n)], k + 1))
        p = np.array([row["p"] for row in judge(given, past=k, min_past=k)])
        assert len(p) == n
        for alpha in (0.05, 0.01):
            share = np.mean(p <= alpha)
            assert share <= alpha + 3 * np.sqrt(alpha * (1 - alpha) / n)
        assert np.mean(p <= 0.05) > 0.02, "and it does see something"


def test_a_past_that_is_itself_wrong_in_part_hides_nothing() -> None:
    draw = np.random.default_rng(3)
    values = draw.normal(100, 2, 31)
    values[[3, 8, 12, 20, 21, 29]] = 0
    values[-1] = 40
    [row] = judge(series(values))
    assert row["p"] < 1e-4
    mean, spread = values[:-1].mean(), values[:-1].std(ddof=1)
    assert abs(values[-1] - mean) / spread < 2, "which mean and standard deviation do not see"


def test_a_season_is_judged_by_its_own_past() -> None:
    draw = np.random.default_rng(4)
    counts = [20 if day % 7 == 6 else int(draw.poisson(400)) for day in range(7 * 12)]  # twelve Sundays of 20
    days = len(counts)
    assert found(rows_of_days(counts), days, season="week", checks=("volume",)) == []
    [blind] = found(rows_of_days(counts), days, checks=("volume",))
    assert blind["found"] == 20
    counts[-1] = 400
    [row] = found(rows_of_days(counts), days, season="week", checks=("volume",))
    assert (row["expected"], row["past"], row["effect"]) == (20, 11, pytest.approx(19))


def test_a_day_without_rows_is_a_volume_of_0() -> None:
    draw = np.random.default_rng(5)
    counts = [int(draw.poisson(50)) for _ in range(20)] + [0]
    [row] = found(rows_of_days(counts), 21)
    assert (row["what"], row["column_name"], row["found"], row["effect"]) == ("volume", None, 0, -1)
    assert row["at"] == START + 20 * DAY
    # The day that goes on is not judged yet.
    assert found(rows_of_days(counts), 20) == []


def test_nulls_of_each_column_are_judged_and_adjusted() -> None:
    draw = np.random.default_rng(6)
    n = 30
    nulls = [int(each) for each in draw.binomial(200, 0.05, n)]
    table = rows_of_days([200] * n, [*nulls[:-1], 60])
    [row] = found(table, n)
    assert (row["what"], row["column_name"], row["found"]) == ("nulls", "x", 0.3)
    assert row["effect"] == pytest.approx(0.3 - np.median(nulls[:-1]) / 200)
    [alone] = found(table, n, columns=("x",))
    assert row["p"] == pytest.approx(2 * alone["p"]), "Benjamini and Hochberg: the smaller one of two columns"
    assert found(rows_of_days([200] * n, nulls), n) == []


def test_what_is_certain_and_small_is_no_alarm_and_neither_is_what_is_large_by_chance() -> None:
    certain = rows_of_days([2_000] * 11 + [2_300])
    assert found(certain, 12, checks=("volume",), alpha=0.01) == []
    [row] = found(certain, 12, checks=("volume",), alpha=0.01, min_change={"volume": 0.1})
    assert row["effect"] == pytest.approx(0.15)
    few = [3, 1, 4, 2, 3, 2, 5, 1, 3, 2, 4, 0]  # of 0 to 5 rows nobody can tell
    assert found(rows_of_days(few), 12, checks=("volume",)) == []


def test_a_table_that_never_changes_is_not_judged_by_less_than_chance() -> None:
    assert found(rows_of_days([16] * 20 + [12]), 21, checks=("volume",)) == []
    [row] = found(rows_of_days([16] * 20 + [0]), 21, checks=("volume",))
    assert row["effect"] == -1


def test_with_little_past_nothing_is_said() -> None:
    counts = [50] * 10 + [0]
    [row] = found(rows_of_days(counts), 11, checks=("volume",))
    assert row["past"] == 10
    assert found(rows_of_days(counts[1:]), 10, checks=("volume",)) == []
    empty: dict[str, list[Any]] = {"moment": [START], "x": [1.0], "y": [1.0]}
    assert found(empty, 0) == []


def test_rows_without_a_time_and_of_the_future_count_nowhere() -> None:
    table = rows_of_days([50] * 20)
    more = {name: [*values, *values[:40], *values[:40]] for name, values in table.items()}
    more["moment"] = [*table["moment"], *[None] * 40, *[START + 99 * DAY] * 40]
    assert found(more, 20) == found(table, 20) == []


def test_freshness_by_a_declared_age() -> None:
    table = rows_of_days([5, 5])
    for hours, late in ((1, False), (30, True)):
        buckets = Buckets("moment", as_of=str(START + DAY + timedelta(hours=hours)))
        usual = Usual(("freshness",), buckets, within="1 day")
        rows = answer(findings("given", usual, "duckdb"), given=table)
        assert bool(rows) == late
    [row] = rows
    assert list(row) == list(FINDINGS)
    age = 30 * 3600 - 4 * 4.32
    assert (row["what"], row["found"], row["expected"]) == ("freshness", pytest.approx(age), 86_400)
    assert row["effect"] == pytest.approx(age / 86_400 - 1)
    nothing = {name: values[:1] for name, values in table.items()} | {"moment": [None]}
    [row] = answer(findings("given", usual, "duckdb"), given=nothing)
    assert (row["found"], row["told"]) == (None, "no rows")


def test_hostile_names_stay_names() -> None:
    name = "x'); DROP TABLE given; --"
    table = rows_of_days([200] * 12, [0] * 11 + [100])
    table[name] = table.pop("x")
    [row] = found(table, 12, columns=(name, "y"))
    assert row["column_name"] == name


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"checks": ("volum",)}, "unknown check 'volum'\n  where: checks\n  did you mean: volume"),
        ({"checks": ()}, "nothing is to be checked"),
        ({"min_past": 2}, "min_past is 2"),
        ({"min_past": 40}, "min_past is 40\n  where: min_past\n  fix: a whole number from 3 to 30"),
        ({"past": 2.5}, "past is 2.5"),
        ({"last": True}, "last is True"),
        ({"alpha": 0}, "alpha is 0"),
        ({"min_change": {"volumes": 1}}, "unknown check 'volumes'"),
        ({"min_change": {"nulls": float("nan")}}, "nulls is nan"),
    ],
)
def test_what_makes_no_sense_is_told(asked: dict[str, Any], told: str) -> None:
    with pytest.raises((InvalidRequestError, UnknownNameError)) as error:
        Usual(**asked)
    assert told in str(error.value)


def test_buckets_and_engines_that_do_not_go_together_are_told() -> None:
    with pytest.raises(UnknownNameError, match="unknown bucket 'days'"):
        Buckets("moment", "days")  # type: ignore[arg-type]
    with pytest.raises(InvalidRequestError, match="a week has no place in a day"):
        Buckets("moment", "week", "day")
    with pytest.raises(InvalidRequestError, match="no length of time"):
        findings("given", Usual(("freshness",), Buckets("moment"), within="soon"), "duckdb")
    for usual in (Usual(), Usual(("freshness",), Buckets("moment"))):
        with pytest.raises(InvalidRequestError, match="no Delta table, whose log tells its past"):
            findings("given", usual, "duckdb", location="/somewhere")
