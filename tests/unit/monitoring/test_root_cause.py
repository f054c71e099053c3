"""When and where a feature changed, against scipy and numpy, and how often chance alone alarms; on DuckDB."""

from __future__ import annotations

import csv
import math
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from penstock.errors import InvalidRequestError, UnknownNameError
from penstock.monitoring.drift.root_cause import COLUMNS, root_cause
from penstock.monitoring.drift.windows import Window

START = datetime(2026, 1, 1)
SHARES, MOVED = np.array([0.4, 0.3, 0.2, 0.1]), np.array([0.2, 0.3, 0.2, 0.3])
RARE = np.array([0.9, 0.08, 0.015, 0.005])
Counts = np.ndarray[Any, Any]


def buckets(rng: np.random.Generator, moved: Counts, rows: int = 200, shares: Counts = SHARES) -> Counts:
    """Counts of buckets, of which each has the shares of a change that is so far on."""
    return np.array([rng.multinomial(rows, (1 - part) * shares + part * MOVED) for part in moved])


def found(series: dict[tuple[str, str | None, str], Counts], **asked: Any) -> dict[tuple[Any, ...], dict[str, Any]]:
    """The answer of each series of (segment, value, feature), from tiles of two runs."""
    cells = [
        (*key, START + timedelta(days=at), bin_, part)
        for key, counts in series.items()
        for (at, bin_), n in np.ndenumerate(counts)
        if n
        for part in (int(n) - 1, 1)
    ]
    tiles = pd.DataFrame(cells, columns=["segment", "value", "feature", "bucket", "bin", "n"]).astype({"value": object})
    con = duckdb.connect()
    con.register("given_tiles", tiles)
    text = "* REPLACE (CAST(value AS TEXT) AS value)"
    con.execute(f"CREATE TABLE tiles AS SELECT 'e' AS edges_id, {text} FROM given_tiles")
    con.execute("INSERT INTO tiles SELECT * REPLACE ('other' AS edges_id) FROM tiles")
    cursor = con.execute(root_cause(Window("tiles", "e"), "duckdb", **asked).sql("duckdb"))
    names = [each[0] for each in cursor.description]
    rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    assert all(tuple(row)[3:] == COLUMNS for row in rows)
    return {(row["segment"], row["value"], row["feature"]): row for row in rows}


def day(row: dict[str, Any], name: str = "started") -> int:
    return int((row[name] - START).days)


def g_of(counts: Counts, start: int, end: int) -> float:
    inside = counts[start:end].sum(axis=0)
    table = np.array([inside, counts.sum(axis=0) - inside])
    return float(stats.chi2_contingency(table[:, table.sum(axis=0) > 0], False, "log-likelihood").statistic)


@pytest.mark.parametrize("shape", ["split", "window"])
def test_the_greatest_change_is_scipys(shape: str) -> None:
    rng = np.random.default_rng(1)
    series = {("all", None, f"f{at}"): buckets(rng, np.zeros(9), rows=30 * (at + 1)) for at in range(4)}
    answer = found(series, shape=shape)
    tested = []
    for key, counts in series.items():
        ranges = [(i, j) for i in range(1, 9) for j in range(i + 1, 10)]
        ranges = [(i, j) for i, j in ranges if j == 9 or shape == "window"]
        n = counts.sum()
        tried = [r for r in ranges if 20 <= counts[slice(*r)].sum() <= n - 20]
        best = max(tried, key=lambda r: g_of(counts, *r))
        row = answer[key]
        assert (day(row), None if row["ended"] is None else day(row, "ended")) == (
            best[0], None if best[1] == 9 else best[1],
        )  # fmt: skip
        assert (row["g"], row["df"], row["tried"]) == (pytest.approx(g_of(counts, *best), rel=1e-9), 3, len(tried))
        assert (row["inside"], row["outside"]) == (counts[slice(*best)].sum(), n - counts[slice(*best)].sum())
        assert row["p"] == pytest.approx(min(1, len(tried) * stats.chi2.sf(row["g"], 3)), rel=1e-9)
        assert row["g_of_all"] == row["g"]
        tested.append(row["p"])
    adjusted = stats.false_discovery_control(tested)
    assert [answer[key]["p_adjusted"] for key in series] == pytest.approx(list(adjusted), rel=1e-9)


def test_a_sudden_change_is_found_when_and_where() -> None:
    rng = np.random.default_rng(2)
    there, elsewhere = buckets(rng, np.arange(60) >= 40), buckets(rng, np.zeros(60))
    series = {("all", None, "x"): there + elsewhere, ("shop", "a", "x"): elsewhere, ("shop", "b", "x"): there}
    answer = found(series)
    row = answer["all", None, "x"]
    assert abs(day(row) - 40) <= 1
    assert (row["ended"], row["p_adjusted"] < 1e-6, row["bin"]) == (None, True, 3)
    assert answer["shop", "b", "x"]["g_of_all"] > 10 * answer["shop", "a", "x"]["g_of_all"]
    assert answer["shop", "a", "x"]["g_of_all"] == pytest.approx(g_of(elsewhere, day(row), 60), rel=1e-9)
    assert answer["shop", "b", "x"]["g_of_all"] == pytest.approx(g_of(there, day(row), 60), rel=1e-9)
    assert answer["shop", "a", "x"]["p_adjusted"] > 0.01


def test_a_change_that_went_away_is_a_window() -> None:
    counts = buckets(np.random.default_rng(3), (np.arange(40) >= 20) & (np.arange(40) < 26))
    row = found({("all", None, "x"): counts}, shape="window")["all", None, "x"]
    assert abs(day(row) - 20) <= 1
    assert abs(day(row, "ended") - 26) <= 1
    assert row["p"] < 1e-6


def test_a_slow_change_is_found() -> None:
    row = found({("all", None, "x"): buckets(np.random.default_rng(4), np.linspace(0, 1, 60))})["all", None, "x"]
    assert 20 <= day(row) <= 40
    assert (row["p"] < 1e-6, row["bin"]) == (True, 3)


@pytest.mark.parametrize(
    ("rows", "shares", "shape"),
    [(200, SHARES, "split"), (4, SHARES, "split"), (60, RARE, "split"), (60, RARE, "window")],
    ids=["many", "few", "rare", "windows"],
)
def test_chance_alone_alarms_no_more_often_than_declared(rows: int, shares: Counts, shape: str) -> None:
    rng, worlds = np.random.default_rng(5), 300
    series = {("all", None, f"f{at}"): buckets(rng, np.zeros(20), rows, shares) for at in range(worlds)}
    p = np.array([row["p"] for row in found(series, shape=shape).values()])
    assert len(p) == worlds
    for alpha in (0.01, 0.05, 0.2):
        assert (p <= alpha).mean() <= alpha + 2 * math.sqrt(alpha * (1 - alpha) / worlds), alpha
    assert (p < 1).any()


def test_nannyml_car_loans_changed_in_their_middle() -> None:
    """A hundred thousand rows of NannyML's data in tiles of 500; row 75,000 is where they are made to change."""
    features: dict[str, list[list[int]]] = {}
    for row in csv.DictReader((Path(__file__).parent / "car_loan.csv").open()):
        features.setdefault(row["feature"], []).append([int(n) for n in row["counts"].split()])
    answer = found({("all", None, name): np.array(bins).T for name, bins in features.items()})
    of = {feature: row for (_, _, feature), row in answer.items()}
    for name, g in (("repaid_loan_on_prev_car", 5230.0), ("salary_range", 2968.4), ("car_value", 20880.7)):
        assert abs(day(of[name]) - 150) <= 1, name
        assert of[name]["g"] == pytest.approx(g, rel=1e-4)
        assert of[name]["p_adjusted"] < 1e-100
    assert of["driver_tenure"]["p_adjusted"] > 0.05


def test_buckets_without_rows_and_bins_without_rows() -> None:
    rows = found({("all", None, "x"): np.array([[90, 0, 0], [0, 0, 0], [80, 10, 0], [0, 80, 0]])})
    row = rows["all", None, "x"]
    assert (day(row), row["df"], row["tried"]) == (3, 1, 2), "a day without rows is none, a bin without rows is none"
    few = found({("all", None, "x"): np.array([[2, 1], [0, 3]])})["all", None, "x"]
    assert (few["tried"], few["started"], few["g"], few["p"]) == (0, None, None, None)
    one_bin = found({("all", None, "x"): np.array([[50], [60]])})["all", None, "x"]
    assert (one_bin["g"], one_bin["df"], one_bin["p"]) == (pytest.approx(0, abs=1e-9), 0, None)
    assert found({("all", None, "x"): np.array([[50, 60]])}) == {}


def test_what_is_asked_for_wrongly() -> None:
    with pytest.raises(UnknownNameError):
        root_cause(Window("tiles", "e"), "spark", shape="spiral")  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError):
        root_cause(Window("tiles", "e"), "postgres")  # type: ignore[arg-type]
    with pytest.raises(InvalidRequestError, match="there is no value among the keys"):
        root_cause(Window("tiles", "e"), "spark", keys=("segment", "feature"))
