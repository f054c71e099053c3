"""Embeddings along stored directions, and the classifier two-sample test: false alarms, power, bad input; on DuckDB."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.decomposition import PCA
from threadpoolctl import threadpool_limits

from penstock.errors import InvalidRequestError, PenstockError, UnknownNameError
from penstock.monitoring.drift.projections import (
    Projection,
    principal_projection,
    projected,
    random_projection,
    stored,
)
from penstock.monitoring.drift.two_sample import _area, sampled, two_sample


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """As many threads as there are cores wait for each other where other tests run."""
    with threadpool_limits(1):
        yield


DRAW = np.random.default_rng(3)
CLOUD = DRAW.normal(0, 1, (500, 12)) @ DRAW.normal(0, 1, (12, 12)) + 3


def places(rows: list[Any], projection: Projection, into: int) -> np.ndarray[Any, Any]:
    con = duckdb.connect()
    con.execute("CREATE TABLE given (id INT, e FLOAT[])")
    con.executemany("INSERT INTO given VALUES (?, ?)", [(at, each) for at, each in enumerate(rows)])
    con.execute(f"CREATE TABLE directions AS {stored(projection, 'duckdb').sql('duckdb')}")
    frame = con.execute(f"{projected('given', 'e', 'directions', into, 'duckdb').sql('duckdb')} ORDER BY id").df()
    assert list(frame.columns) == ["id", *(f"e_{at}" for at in range(1, into + 1))]
    return frame.drop(columns="id").to_numpy(dtype=float)


def test_places_are_those_of_numpy() -> None:
    projection = random_projection(12, 5, seed=4)
    found = places(CLOUD[:50].tolist(), projection, 4)
    wanted = CLOUD[:50].astype(np.float32).astype(float) @ np.array(projection.weights[:4]).T
    np.testing.assert_allclose(found, wanted, rtol=1e-9)


def test_principal_places_are_those_of_scikit_learn() -> None:
    found = places(CLOUD.tolist(), principal_projection(CLOUD, 3), 3)
    wanted = PCA(3).fit_transform(CLOUD)
    np.testing.assert_allclose(np.abs(found), np.abs(wanted), rtol=1e-4, atol=1e-5)
    assert principal_projection(CLOUD[::-1], 3).weights[0] == pytest.approx(principal_projection(CLOUD, 3).weights[0])


def test_random_directions_keep_distances_and_are_the_same_each_time() -> None:
    assert random_projection(300, 64, seed=1) == random_projection(300, 64, seed=1) != random_projection(300, 64)
    assert random_projection(2, 1).weights[0] == pytest.approx((1.764052345967664, 0.4001572083672233), rel=1e-15)
    weights = np.array(random_projection(300, 64, seed=1).weights)
    points = DRAW.normal(0, 1, (40, 300))
    ratio = np.linalg.norm(points @ weights.T, axis=1) / np.linalg.norm(points, axis=1)
    assert np.abs(ratio - 1).max() < 4 / np.sqrt(2 * 64), "by Johnson and Lindenstrauss, four standard errors"


def test_what_is_no_whole_embedding_has_no_place() -> None:
    found = places([None, [1.0, 2.0], [1.0, None, 1.0], [1.0, 2.0, 3.0], []], random_projection(3, 2), 2)
    assert np.isnan(found).all(axis=1).tolist() == [True, True, True, False, True]


@pytest.mark.parametrize("into", [0, 13])
def test_directions_that_there_are_not(into: int) -> None:
    with pytest.raises(InvalidRequestError, match=f"{into} directions\n.*\n.*from 1 to 12"):
        random_projection(12, into)
    with pytest.raises(InvalidRequestError, match="directions"):
        principal_projection(CLOUD, into)
    with pytest.raises(InvalidRequestError, match="directions"):
        projected("given", "e", "directions", into * 100, "duckdb")
    with pytest.raises(InvalidRequestError, match="finite"):
        principal_projection(np.array([[np.nan, 1.0]]), 1)


def frame(rows: int, correlation: float = 0.0, shift: float = 0.0) -> pd.DataFrame:
    x, y = DRAW.normal(0, 1, (2, rows))
    return pd.DataFrame({"x": x + shift, "y": correlation * x + np.sqrt(1 - correlation**2) * y})


def test_without_a_change_alarms_are_rare() -> None:
    """test_two_sample_rates.py has how rare."""
    p = [two_sample(frame(60), frame(90), classifier="linear", seed=at).p for at in range(40)]
    assert sum(each < 0.05 for each in p) <= 2 + 3 * np.sqrt(2)
    assert sum(each < 0.5 for each in p) > 10, "nor are they never"


def test_a_change_that_no_margin_shows_is_found() -> None:
    then, now = frame(400), frame(400, correlation=0.85)
    assert min(stats.ks_2samp(then[name], now[name]).pvalue for name in ("x", "y")) > 0.01
    found = two_sample(then, now)
    assert (found.p < 1e-6, found.auc > 0.6, found.reference_rows) == (True, True, 400)
    assert two_sample(then, frame(400, shift=0.4), classifier="linear").p < 1e-4


def test_areas_are_those_of_mann_and_whitney() -> None:
    score, is_now = DRAW.integers(0, 8, 200) / 8, DRAW.uniform(0, 1, 200) < 0.4
    auc, z = _area(score, is_now)
    other = stats.mannwhitneyu(
        score[is_now], score[~is_now], alternative="greater", method="asymptotic", use_continuity=False
    )
    assert auc == pytest.approx(other.statistic / (is_now.sum() * (~is_now).sum()), rel=1e-12)
    assert stats.norm.sf(z) == pytest.approx(other.pvalue, rel=1e-9)
    assert _area(np.ones(10), np.arange(10) < 4) == (0.5, 0.0)


@pytest.mark.parametrize("classifier", ["trees", "linear"])
def test_columns_of_each_kind(classifier: Any) -> None:
    def kinds(levels: str, rows: int = 200) -> pd.DataFrame:
        texts = DRAW.choice([*levels, None], rows)
        lists = [None if at == 0 else DRAW.normal(0, 1, 3).tolist() for at in range(rows)]
        flags = DRAW.uniform(0, 1, rows) < 0.5
        return pd.DataFrame(
            {"text": texts, "flag": flags, "e": lists, "gone": np.nan, "wide": [np.inf, *DRAW.normal(0, 1, rows - 1)]}
        )

    assert two_sample(kinds("ab"), kinds("ab"), classifier=classifier).p > 0.001
    assert two_sample(kinds("ab"), kinds("bc"), classifier=classifier).p < 1e-6
    many = pd.DataFrame({"id": [f"id{at}" for at in range(600)]})
    assert two_sample(many[:300], many[300:], classifier=classifier).p > 0.001, "ids tell nothing"


def test_what_cannot_be_compared_is_told() -> None:
    rows = frame(50)
    with pytest.raises(InvalidRequestError, match="the current has 39 rows"):
        two_sample(rows, rows[:39])
    with pytest.raises(UnknownNameError, match="unknown column 'y'"):
        two_sample(rows, rows[["x"]])
    with pytest.raises(UnknownNameError, match="unknown classifier 'tres'"):
        two_sample(rows, rows, classifier="tres")  # type: ignore[arg-type]
    for column, said in (
        (pd.Timestamp("2026-01-01"), "'bad' is neither"),
        ([[1.0, 2.0]] * 25 + [[1.0]] * 25, "of 2 lengths"),
    ):
        bad = rows.assign(bad=column)
        with pytest.raises(InvalidRequestError, match=said):
            two_sample(bad, bad)
    with pytest.raises(PenstockError, match="there is no column"):
        two_sample(rows[[]], rows[[]])


def test_a_sample_is_the_same_each_time() -> None:
    con = duckdb.connect()
    con.execute("CREATE TABLE given AS SELECT x AS id, 'k' || x AS name FROM range(1000) AS r (x)")

    def ids(**given: Any) -> list[int]:
        asked = {"key": ["id"], "rows": 100} | given
        sql = sampled("given", asked.pop("key"), "duckdb", **asked).sql("duckdb")
        return sorted(row[0] for row in con.execute(sql).fetchall())

    first = ids()
    con.execute("CREATE OR REPLACE TABLE given AS SELECT * FROM given ORDER BY -id")
    assert len(first) == 100
    assert ids() == first != ids(seed=1)
    assert 350 < np.mean(first) < 650
    assert set(ids(rows=50)) < set(first)
    for given in ({"rows": 0}, {"rows": 20_001}, {"key": []}):
        with pytest.raises(InvalidRequestError):
            ids(**given)
