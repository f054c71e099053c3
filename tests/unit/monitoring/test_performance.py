"""Performance from rows and from score tiles on DuckDB, against scikit-learn, statsmodels and derivatives by numpy."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics
from sqlglot import exp
from statsmodels.stats.proportion import proportion_confint

from penstock.errors import InvalidRequestError, UnknownNameError
from penstock.monitoring.performance.formulas import METRICS
from penstock.monitoring.performance.metrics import performance, performance_of_tiles
from penstock.monitoring.performance.score_tiles import STATE, score_tiles
from penstock.monitoring.performance.scores import Scores

CONNECTION = duckdb.connect()
Answer = dict[str, dict[str, Any]]


def asked(query: exp.Query | str, *keys: str) -> dict[Any, Answer]:
    """By key (None without keys) and metric the row of the answer."""
    cursor = CONNECTION.execute(query if isinstance(query, str) else query.sql("duckdb"))
    names = [each[0] for each in cursor.description]
    answer: dict[Any, Answer] = {}
    for values in cursor.fetchall():
        row = dict(zip(names, values, strict=True))
        key = tuple(row.pop(key) for key in keys)
        answer.setdefault(key[0] if len(key) == 1 else key or None, {})[row.pop("metric")] = row
    return answer


def of_rows(score: Any, label: Any, weight: Any = None, **asks: Any) -> Answer:
    columns = {"score": pa.array(score, pa.float64()), "label": pa.array(label, pa.float64())}
    if weight is not None:
        columns["weight"] = pa.array(weight, pa.float64())
        asks["weight"] = "weight"
    CONNECTION.register("scored_rows", pa.table(columns))
    return asked(of_scored_rows(Scores("scored_rows", **asks))).get(None, {})


@cache
def of_scored_rows(scores: Scores) -> str:
    return performance(scores, "duckdb").sql("duckdb")


def expected(y: np.ndarray, p: np.ndarray, w: np.ndarray | None = None) -> dict[str, float | None]:
    """What scikit-learn says, with None where it has to do with one class or none predicted."""
    h = p >= 0.5
    one_class = len(set(y)) < 2
    asks: dict[str, Any] = {"sample_weight": w}
    return {
        "positives": float(np.average(y, weights=w)),
        "mean_score": float(np.average(p, weights=w)),
        "accuracy": metrics.accuracy_score(y, h, **asks),
        "precision": metrics.precision_score(y, h, **asks) if h.any() else None,
        "recall": metrics.recall_score(y, h, **asks) if y.any() else None,
        "f1": metrics.f1_score(y, h, **asks) if h.any() or y.any() else None,
        "auc": None if one_class else metrics.roc_auc_score(y, p, **asks),
        "absolute_error": metrics.mean_absolute_error(y, p, **asks),
        "log_loss": metrics.log_loss(y, p, labels=[0, 1], **asks),
        "squared_error": metrics.mean_squared_error(y, p, **asks),
        "zero_one": metrics.zero_one_loss(y, h, **asks),
    }


scores_ = st.one_of(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), st.floats(0, 1))
rows = st.lists(st.tuples(scores_, st.sampled_from([0.0, 1.0]), st.floats(0.125, 8)), min_size=1, max_size=60)


@settings(max_examples=40, deadline=None)
@given(rows, st.booleans())
def test_values_are_those_of_scikit_learn(drawn: list[tuple[float, float, float]], weighted: bool) -> None:
    p, y, w = (np.array(each) for each in zip(*drawn, strict=True))
    found = of_rows(p, y, w if weighted else None)
    for name, value in expected(y, p, w if weighted else None).items():
        wanted = value if value is None else pytest.approx(value, rel=1e-9, abs=1e-12)
        assert found[name]["value"] == wanted, name
        assert (found[name]["rows"], found[name]["binned_error"]) == (len(y), 0)
        assert (found[name]["low"] is None) >= (value is None), name


def test_rows_that_do_not_count() -> None:
    nan = float("nan")
    score = [0.9, None, 0.2, nan, 0.4, 0.4, 0.4, 0.1]
    label = [1.0, 1.0, None, 1.0, nan, 0.0, 0.0, 0.0]
    weight = [1.0, 1.0, 1.0, 1.0, 1.0, 0.0, None, 2.0]
    found = of_rows(score, label, weight)
    assert found["auc"]["rows"] == 2
    assert found["positives"]["value"] == pytest.approx(1 / 3)


def test_no_rows_and_one_row() -> None:
    assert of_rows([], []) == {}
    found = of_rows([0.7], [1.0])
    assert (found["accuracy"]["value"], found["accuracy"]["standard_error"]) == (1, None)
    assert 0.2 < found["accuracy"]["low"] < found["accuracy"]["high"] <= 1
    assert found["log_loss"]["low"] is None
    assert (found["auc"]["value"], found["auc"]["low"], found["auc"]["high"]) == (None, None, None)


def test_labels_of_yes_and_no_and_a_threshold() -> None:
    CONNECTION.execute("CREATE TABLE yes_no AS SELECT * FROM (VALUES (TRUE, 0.3), (FALSE, 0.29)) AS t (came, p)")
    found = asked(performance(Scores("yes_no", score="p", label="came", threshold=0.3), "duckdb"))[None]
    assert (found["accuracy"]["value"], found["zero_one"]["value"], found["auc"]["value"]) == (1, 0, 1)


# ---------------------------------------------------------------- errors and intervals


def draw(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    p = np.round(rng.uniform(0, 1, n), 2)
    return p, (rng.uniform(size=n) < p**1.3).astype(float)


def test_intervals_of_shares_are_wilsons() -> None:
    p, y = draw(300, 1)
    h = p >= 0.5
    found = of_rows(p, y)
    every, positive = np.ones_like(h), y == 1
    shares = {"accuracy": (h == positive, every), "precision": (positive, h), "recall": (h, positive)}
    for name, (some, of) in (shares | {"positives": (positive, every)}).items():
        low, high = proportion_confint((some & of).sum(), of.sum(), method="wilson")
        assert (found[name]["low"], found[name]["high"]) == pytest.approx((low, high), rel=1e-9), name


def test_errors_of_means_and_delongs_of_the_area() -> None:
    p, y = draw(300, 2)
    found = of_rows(p, y)
    squared = (p - y) ** 2
    error = squared.std(ddof=1) / np.sqrt(len(y))
    assert found["squared_error"]["standard_error"] == pytest.approx(error, rel=1e-9)
    assert found["squared_error"]["high"] == pytest.approx(squared.mean() + 1.959963984540054 * error, rel=1e-9)
    # DeLong, DeLong and Clarke-Pearson, equation 7, row by row
    one, zero = p[y == 1], p[y == 0]
    kernel = (one[:, None] > zero) + 0.5 * (one[:, None] == zero)
    variance = kernel.mean(1).var(ddof=1) / len(one) + kernel.mean(0).var(ddof=1) / len(zero)
    assert found["auc"]["standard_error"] == pytest.approx(np.sqrt(variance), rel=1e-9)


def metric_of(name: str, w: np.ndarray, y: np.ndarray, p: np.ndarray) -> float:
    """The metric with any numbers as labels, by its definition."""
    h = p >= 0.5
    tp, pp, pos, neg = (w * y * h).sum(), (w * h).sum(), (w * y).sum(), (w * (1 - y)).sum()
    pair = (p[:, None] > p) + 0.5 * (p[:, None] == p)
    clipped = np.clip(p, np.finfo(float).eps, 1 - np.finfo(float).eps)
    return float(
        {
            "positives": lambda: pos / w.sum(),
            "accuracy": lambda: (tp + (w * (1 - y) * ~h).sum()) / w.sum(),
            "precision": lambda: tp / pp,
            "recall": lambda: tp / pos,
            "f1": lambda: 2 * tp / (pp + pos),
            "auc": lambda: (w * y) @ pair @ (w * (1 - y)) / (pos * neg),
            "log_loss": lambda: np.average(-y * np.log(clipped) - (1 - y) * np.log(1 - clipped), weights=w),
            "squared_error": lambda: np.average(y * (1 - p) ** 2 + (1 - y) * p**2, weights=w),
            "absolute_error": lambda: np.average(y * (1 - p) + (1 - y) * p, weights=w),
            "zero_one": lambda: np.average(y * ~h + (1 - y) * h, weights=w),
        }[name]()
    )


def derivatives(of: Callable[[np.ndarray], float], at: np.ndarray) -> np.ndarray:
    steps = np.eye(len(at)) * 1e-5
    return np.array([(of(at + step) - of(at - step)) / 2e-5 for step in steps])


NAMES = sorted(METRICS.keys() - {"mean_score", "ece"})


@pytest.mark.parametrize("label_is", ["weighted_outcome", "probability"])
def test_errors_with_weights_and_labels_between_or_beyond_0_and_1(label_is: str) -> None:
    rng = np.random.default_rng(5)
    p = np.round(rng.uniform(0, 1, 40), 1)
    y = rng.uniform(0.05, 0.95, 40) if label_is == "probability" else (rng.uniform(size=40) < p) * rng.uniform(1, 2, 40)
    w = rng.uniform(0.5, 2, 40)
    found = of_rows(p, y, w, label_is=label_is)
    for name in NAMES:
        assert found[name]["value"] == pytest.approx(metric_of(name, w, y, p), rel=1e-9), name
        if label_is == "probability":
            slopes = derivatives(lambda at: metric_of(name, w, at, p), y)  # noqa: B023
            variance = (y * (1 - y) * slopes**2).sum()
        else:
            influence = w * derivatives(lambda at: metric_of(name, at, y, p), w)  # noqa: B023
            part = {"precision": w * (p >= 0.5), "recall": w * y}.get(name, w)
            size = part.sum() ** 2 / (part**2).sum()
            # of the area each class has its factor, between these
            variance = (influence**2).sum() * (1 if name == "auc" else size / (size - 1))
        loose = 0.2 if name == "auc" and label_is != "probability" else 1e-6
        assert found[name]["standard_error"] == pytest.approx(np.sqrt(variance), rel=loose), name
        if name in {"accuracy", "auc"} and found[name]["high"] < 1:
            wide = 1.959963984540054 * found[name]["standard_error"]
            assert found[name]["high"] - found[name]["value"] == pytest.approx(wide, rel=1e-9)


# ---------------------------------------------------------------- tiles


def of_days(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    p, y = draw(600, seed)
    day = np.random.default_rng(seed).integers(0, 4, 600)
    table = pa.table({"score": p, "label": y, "day": day, "Slice": np.where(p * 7 % 2 < 1, "a", None)})
    CONNECTION.register("scored_days", table)
    tiles = score_tiles(Scores("scored_days", keys=("day", "Slice")), "duckdb", bins=50)
    CONNECTION.execute(f"CREATE OR REPLACE TABLE score_tiles AS {tiles.sql('duckdb')}")
    return p, y, day


def test_tiles_of_any_window_are_its_rows() -> None:
    p, y, day = of_days(3)
    for first in range(4):
        for last in range(first, 4):
            tiles = exp.select("*").from_("score_tiles").where(f"day BETWEEN {first} AND {last}")
            found = asked(performance_of_tiles(tiles, "duckdb", bins=50))[None]
            inside = (day >= first) & (day <= last)
            exact = of_rows(p[inside], y[inside])
            for name, row in exact.items():
                if name == "auc":
                    assert abs(found[name]["value"] - row["value"]) <= found[name]["binned_error"] + 1e-12 < 0.05
                elif name == "ece":
                    assert found[name]["value"] == pytest.approx(ece(y[inside], p[inside]), rel=1e-9)
                else:
                    assert found[name] == pytest.approx(row, rel=1e-9, abs=1e-12), name


def ece(y: np.ndarray, p: np.ndarray) -> float:
    bins = np.minimum((p * 50).astype(int), 49) // 5
    return float(sum(abs((y - p)[bins == b].sum()) for b in range(10)) / len(y))


def test_counts_of_tiles_are_exact_and_keys_keep_their_names() -> None:
    p, y, day = of_days(4)
    cursor = CONNECTION.execute("SELECT * FROM score_tiles")
    assert [each[0] for each in cursor.description] == ["day", "Slice", "label_is", "bin", *STATE]
    for d in range(4):
        sums = CONNECTION.execute(f"SELECT SUM(n), SUM(wy), SUM(h_w), SUM(h_wy) FROM score_tiles WHERE day = {d}")
        own = day == d
        assert sums.fetchall() == [(own.sum(), y[own].sum(), (p[own] >= 0.5).sum(), y[own & (p >= 0.5)].sum())]
    by_slice = asked(performance_of_tiles("score_tiles", "duckdb", keys=["Slice"], bins=50), "Slice")
    assert by_slice.keys() == {"a", None}


def test_scores_beyond_the_bins_are_in_the_outer_ones() -> None:
    CONNECTION.execute(
        "CREATE TABLE beyond AS SELECT * FROM (VALUES (1, 1.5), (0, -0.5), (1, 1.0), (0, 0.0)) AS t (label, score)"
    )
    bins = CONNECTION.execute(score_tiles(Scores("beyond"), "duckdb", bins=20).sql("duckdb")).fetchall()
    assert sorted((row[1], row[2]) for row in bins) == [(0, 2), (19, 2)]


# ---------------------------------------------------------------- names


def test_what_cannot_be_asked() -> None:
    with pytest.raises(InvalidRequestError, match="the key 'Metric' has the name of a column of the answer"):
        Scores("t", keys=("Metric",))
    with pytest.raises(InvalidRequestError, match="'A' is named twice"):
        Scores("t", keys=("a", "A"))
    with pytest.raises(UnknownNameError, match="kind of label 'outcomes'"):
        Scores("t", label_is="outcomes")  # type: ignore[arg-type]
    with pytest.raises(InvalidRequestError, match="the key 'W2Y' has the name"):
        score_tiles(Scores("t", keys=("W2Y",)), "spark")
    with pytest.raises(InvalidRequestError, match="15 bins do not fall into the 10"):
        performance_of_tiles("t", "spark", bins=15)
    with pytest.raises(InvalidRequestError, match="there are 0 bins"):
        score_tiles(Scores("t"), "spark", bins=0)
    with pytest.raises(InvalidRequestError, match="the confidence is 95"):
        performance(Scores("t"), "spark", confidence=95)
    with pytest.raises(UnknownNameError, match="dialect 'postgres'"):
        performance(Scores("t"), "postgres")  # type: ignore[arg-type]
