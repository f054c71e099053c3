"""Slices on DuckDB: each is what its own rows say, its rest what the others say; significance against statsmodels."""

from __future__ import annotations

from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy import stats
from sqlglot import exp
from statsmodels.stats.proportion import proportions_ztest

from penstock.errors import InvalidRequestError
from penstock.monitoring.performance.metrics import performance
from penstock.monitoring.performance.regression import number_performance
from penstock.monitoring.performance.scores import Scores
from penstock.monitoring.performance.slices import ALL, slices

CONNECTION = duckdb.connect()
COLUMNS = ("carrier", "Is it")
Key = tuple[Any, ...]


def asked(query: exp.Query, *keys: str) -> dict[Key, dict[str, Any]]:
    cursor = CONNECTION.execute(query.sql("duckdb"))
    names = [each[0] for each in cursor.description]
    rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return {tuple(row[key] for key in (*keys, "metric")): row for row in rows}


@pytest.fixture(scope="module")
def world() -> pd.DataFrame:
    """Scores of two decimals, so that a bin has one; a carrier that is worse, a small one, one without name."""
    rng = np.random.default_rng(4)
    n = 3_000
    carrier = rng.choice(["AA", "DL", "UA", "tiny", None], n, p=[0.4, 0.3, 0.2, 0.01, 0.09])
    p = np.round(rng.beta(2, 2, n), 2)
    truth = np.where(carrier == "UA", 1 - p, p)
    frame = pd.DataFrame({"score": p, "label": (rng.uniform(size=n) < truth).astype(float), "carrier": carrier})
    frame["Is it"] = rng.uniform(size=n) < 0.3
    frame["version"] = rng.integers(1, 3, n)
    frame["w"] = rng.uniform(0.5, 2, n)
    CONNECTION.register("sliced_rows", pa.Table.from_pandas(frame))
    return frame


def of(parts: list[pd.DataFrame], weight: str | None = None, numbers: bool = False) -> list[dict[Key, dict[str, Any]]]:
    """What the rows of each part say."""
    together = pd.concat(part.assign(part=at) for at, part in enumerate(parts))
    CONNECTION.register("rows_of_parts", pa.Table.from_pandas(together))
    measure = number_performance if numbers else performance
    found = asked(measure(Scores("rows_of_parts", weight=weight, keys=("part",)), "duckdb"), "part")
    return [{key[1:]: row for key, row in found.items() if key[0] == at} for at in range(len(parts))]


def sides(frame: pd.DataFrame, column: str, value: str | None) -> tuple[pd.DataFrame, pd.DataFrame]:
    text = frame[column].map(lambda x: None if x is None else str(x).lower() if isinstance(x, bool) else str(x))
    own = text.isna() if value is None else text == value
    return frame[own], frame[~own]


@pytest.mark.parametrize(("weight", "numbers"), [(None, False), ("w", False), (None, True)])
def test_a_slice_and_its_rest_are_what_their_rows_say(world: pd.DataFrame, weight: str | None, numbers: bool) -> None:
    found = asked(
        slices(Scores("sliced_rows", weight=weight), COLUMNS, "duckdb", numbers=numbers), "slice", "slice_value"
    )
    carriers, yes_no = ("AA", "DL", "UA", "tiny", None), ("true", "false")
    every = [(ALL, None), *(("carrier", v) for v in carriers), *(("Is it", v) for v in yes_no)]
    assert {key[:2] for key in found} == set(every)
    parts = {key: (world, world[:0]) if key[0] == ALL else sides(world, *key) for key in every}
    measured = of([side for both in parts.values() for side in both], weight, numbers)
    measures = dict(zip(parts, zip(measured[::2], measured[1::2], strict=True), strict=True))
    for (column, value, metric), row in found.items():
        own, rest = measures[column, value]
        for name in ("value", "standard_error", "low", "high", "rows"):
            same = own[(metric,)][name]
            assert row[name] == (same if same is None else pytest.approx(same, rel=1e-9, abs=1e-9)), (metric, name)
        if column == ALL:
            assert (row["rest"], row["rest_rows"], row["judged"]) == (None, None, False)
            continue
        other = rest[(metric,)]
        assert row["rest"] == pytest.approx(other["value"], rel=1e-9)
        assert row["rest_rows"] == other["rows"]
        assert row["gap"] == pytest.approx(row["value"] - other["value"], abs=1e-9)
        assert row["judged"] == (row["rows"] >= 100)
        if metric in {"auc", "log_loss", "rmse"} and row["judged"]:
            z = row["gap"] / np.hypot(row["standard_error"], other["standard_error"])
            assert row["z"] == pytest.approx(z, rel=1e-8)
            assert row["p"] == pytest.approx(2 * stats.norm.sf(abs(z)), rel=1e-8)


def test_the_significance_of_shares_and_of_many_slices(world: pd.DataFrame) -> None:
    found = asked(slices(Scores("sliced_rows"), COLUMNS, "duckdb"), "slice", "slice_value")
    accuracy = {key[:2]: row for key, row in found.items() if key[2] == "accuracy" and row["judged"]}
    for (column, value), row in accuracy.items():
        both = sides(world, column, value)
        right = [((side["score"] >= 0.5) == side["label"]).sum() for side in both]
        z, p = proportions_ztest(right, [len(side) for side in both])
        assert (row["z"], row["p"]) == pytest.approx((z, p), rel=1e-9)
    adjusted = stats.false_discovery_control([row["p"] for row in accuracy.values()])
    assert [row["p_adjusted"] for row in accuracy.values()] == pytest.approx(list(adjusted), rel=1e-9)
    assert accuracy["carrier", "UA"]["p_adjusted"] < 1e-6
    assert found["carrier", "tiny", "accuracy"]["p_adjusted"] is None


def test_the_best_slice_has_no_gap(world: pd.DataFrame) -> None:
    found = asked(slices(Scores("sliced_rows"), COLUMNS, "duckdb"), "slice", "slice_value")
    for metric, best in (("auc", max), ("log_loss", min)):
        rows = [row for key, row in found.items() if key[0] == "carrier" and key[2] == metric and row["judged"]]
        least = best(row["value"] for row in rows)
        for row in rows:
            assert row["gap_to_best"] == pytest.approx(abs(row["value"] - least), abs=1e-12)


def test_keys_have_slices_of_their_own(world: pd.DataFrame) -> None:
    by_key = asked(
        slices(Scores("sliced_rows", keys=("version",)), ["carrier"], "duckdb"), "version", "slice", "slice_value"
    )
    for version in (1, 2):
        own, rest = sides(world[world["version"] == version], "carrier", "AA")
        row = by_key[version, "carrier", "AA", "auc"]
        assert (row["rows"], row["rest_rows"]) == (len(own), len(rest))
        values = [measured[("auc",)]["value"] for measured in of([own, rest])]
        assert [row["value"], row["rest"]] == pytest.approx(values, rel=1e-9)


def test_a_slice_that_is_all_has_no_rest() -> None:
    CONNECTION.execute(
        "CREATE TABLE tiles AS SELECT 'only' AS kind, x % 2 AS label, x / 10 AS score FROM range(10) AS t (x)"
    )
    found = asked(slices(Scores("tiles"), ["kind"], "duckdb", min_rows=1), "slice", "slice_value")
    row = found["kind", "only", "accuracy"]
    assert (row["rows"], row["rest"], row["rest_rows"], row["judged"], row["p"]) == (10, None, None, False, None)


def test_what_cannot_be_asked() -> None:
    with pytest.raises(InvalidRequestError, match="no columns of slices"):
        slices(Scores("t"), [], "spark")
    with pytest.raises(InvalidRequestError, match="'a' is named twice"):
        slices(Scores("t"), ["A", "a"], "spark")
    with pytest.raises(InvalidRequestError, match="the key 'rest' has the name"):
        slices(Scores("t", keys=("rest",)), ["a"], "spark")
