"""Windows of tiles on DuckDB: what drift and moments say of them, and what scipy and pandas say of the rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from tiled import CONNECTION, KINDS, START, build_edges, build_tiles, frame, rows_of, store

from penstock.errors import InvalidRequestError, UnknownNameError
from penstock.monitoring.drift import Feature, Histograms, Tiling, Window, compared, drift, moments, moving, tiles
from penstock.monitoring.drift.distances import STATISTICS

Rows = dict[tuple[Any, ...], dict[str, Any]]
days = st.tuples(st.integers(0, 9), st.integers(1, 10)).map(lambda w: (w[0], w[0] + w[1]))


def answers(histograms: Histograms) -> Rows:
    return keyed(drift(histograms, "duckdb").sql("duckdb"), histograms.keys)


def keyed(sql: str, keys: tuple[str, ...]) -> Rows:
    return {tuple(row[key] for key in keys): row for row in rows_of(sql)}


@pytest.fixture(scope="module")
def built() -> tuple[str, tuple[Feature, ...]]:
    """A baseline and later rows, their edges and tiles: the id of the edges, and the features."""
    rng = np.random.default_rng(11)
    store("base", frame(rng, 3_000), np.random.default_rng(12))
    store("now", frame(rng, 1_000, shift=0.4), np.random.default_rng(13))
    edges_id, features = build_edges("base")
    build_tiles("base_tiles", "base", Tiling("the_edges", edges_id, features, segments=("shop",)))
    build_tiles("now_tiles", "now", Tiling("the_edges", edges_id, features, "at", segments=("shop",)))
    return edges_id, features


@cache
def sql_of(edges_id: str, features: tuple[Feature, ...]) -> dict[str, str]:
    """What is asked of the window that the views `part` of rows and `part_tiles` show."""
    base, part = Window("base_tiles", edges_id), Window("part_tiles", edges_id)
    direct = Window(tiles("part", Tiling("the_edges", edges_id, features, segments=("shop",)), "duckdb"), edges_id)
    return {
        "tiles": drift(compared("the_edges", base, part, "duckdb"), "duckdb").sql("duckdb"),
        "rows": drift(compared("the_edges", base, direct, "duckdb"), "duckdb").sql("duckdb"),
        "moments": moments("the_edges", part, "duckdb").sql("duckdb"),
    }


def show(window: tuple[int, int]) -> None:
    start, end = (f"TIMESTAMP '{START + timedelta(days=day)}'" for day in window)
    CONNECTION.execute(f'CREATE OR REPLACE VIEW part AS SELECT * FROM now WHERE "at" >= {start} AND "at" < {end}')
    within = f"bucket >= {start} AND bucket < {end}"
    CONNECTION.execute(f"CREATE OR REPLACE VIEW part_tiles AS SELECT * FROM now_tiles WHERE {within}")


def finite(table: str, feature: str) -> pd.Series[Any]:
    found = np.array([row["x"] for row in rows_of(f"SELECT {feature} AS x FROM {table}") if row["x"] is not None])
    return pd.Series(found[np.isfinite(found)] if len(found) else [], dtype=float)


def levels(table: str) -> list[int]:
    counted = {row["shop"]: row["n"] for row in rows_of(f"SELECT shop, COUNT(*) AS n FROM {table} GROUP BY shop")}
    return [counted.get(level, 0) for level in ("a", "b", "it's", "", None)]


@settings(max_examples=20, deadline=None)
@given(days)
def test_any_window_is_that_of_its_rows(built: Any, window: tuple[int, int]) -> None:
    show(window)
    rows = keyed(sql_of(*built)["tiles"], ("segment", "value", "feature"))
    for feature in ("amount", "size", "dirty"):
        row, x, y = rows["all", None, feature], finite("base", feature), finite("part", feature)
        exact = stats.ks_2samp(x, y, method="asymp").statistic
        assert row["ks"] - 1e-12 <= exact <= row["ks_upper"] + 1e-12
        distance = stats.wasserstein_distance(x, y)
        assert abs(row["wasserstein"] - distance) <= row["wasserstein_error"] + 1e-9
        if feature != "amount":  # a bin for each value, and no other value came
            assert row["ks"] == row["ks_upper"] == pytest.approx(exact, abs=1e-12)
            assert row["wasserstein_error"] == 0
            assert row["wasserstein"] == pytest.approx(distance, abs=1e-9)
    expected = stats.chi2_contingency([levels("base"), levels("part")], correction=False)
    assert rows["all", None, "shop"]["chi2"] == pytest.approx(expected.statistic, rel=1e-9)
    assert rows["all", None, "shop"]["chi2_p"] == pytest.approx(expected.pvalue, rel=1e-9)


@settings(max_examples=10, deadline=None)
@given(days)
def test_drift_of_tiles_is_that_of_rows_binned_at_once(built: Any, window: tuple[int, int]) -> None:
    show(window)
    one, other = (keyed(sql_of(*built)[name], ("segment", "value", "feature")) for name in ("tiles", "rows"))
    assert one.keys() == other.keys()
    for key, row in one.items():
        for name in STATISTICS:
            wanted = other[key][name]
            assert row[name] == (wanted if wanted is None else pytest.approx(wanted, rel=1e-9, abs=1e-12)), (key, name)


@settings(max_examples=10, deadline=None)
@given(days)
def test_moments_are_those_of_the_rows(built: Any, window: tuple[int, int]) -> None:
    show(window)
    found = keyed(sql_of(*built)["moments"], ("segment", "feature"))
    assert {feature for segment, feature in found if segment == "all"} == {"amount", "size", "dirty", "empty"}
    for feature in ("amount", "size", "dirty"):
        values = finite("part", feature)
        row = found["all", feature]
        assert row["n"] == len(values) > 1
        assert row["mean"] == pytest.approx(values.mean(), rel=1e-9, abs=1e-12)
        assert row["variance"] == pytest.approx(values.var(), rel=1e-9)
    assert (found["all", "empty"]["n"], found["all", "empty"]["mean"], found["all", "empty"]["variance"]) == (
        0,
        None,
        None,
    )


def test_moments_of_large_numbers_keep_their_digits() -> None:
    """Σx² of numbers about 1e9 would leave nothing of a variance of 1."""
    values = 1e9 + np.random.default_rng(3).normal(size=500)
    store("base", frame(np.random.default_rng(1), 500).assign(amount=values))
    edges_id, features = build_edges("base", {"amount": "number"}, name="large")
    build_tiles("large_tiles", "base", Tiling("large", edges_id, features))
    [row] = rows_of(moments("large", Window("large_tiles", edges_id), "duckdb"))
    assert row["mean"] == pytest.approx(values.mean(), rel=1e-15)
    assert row["variance"] == pytest.approx(values.var(ddof=1), rel=1e-9)


def test_windows_that_move_and_windows_with_ends(built: Any) -> None:
    reference, current = Window("base_tiles", built[0]), Window("now_tiles", built[0])
    rows = answers(moving("the_edges", reference, current, "duckdb", size=3))
    ends = sorted({key[0] for key in rows})
    assert ends == [START + timedelta(days=day) for day in range(1, 11)]
    for end in (ends[0], ends[4], ends[9]):
        window = Window("now_tiles", built[0], end - timedelta(days=3), end)
        expected = answers(compared("the_edges", reference, window, "duckdb"))
        assert {key[1:] for key in rows if key[0] == end} == {k for k, row in expected.items() if row["current_rows"]}
        for key, row in expected.items():
            for name in STATISTICS if row["current_rows"] else ():
                assert rows[end, *key][name] == (row[name] if row[name] is None else pytest.approx(row[name])), name


def test_a_version_is_compared_with_its_own_baseline() -> None:
    """Two versions that differ in their scores are rolled out one after the other, and nothing drifts."""
    rng = np.random.default_rng(14)
    base, now = frame(rng, 4_000), frame(rng, 2_000)
    now["version"] = np.where(now["at"] < START + timedelta(days=5), 1, 2)
    for name, rows in (("base_of_two", base), ("now_of_two", now)):
        store(name, rows.assign(amount=rows["amount"] + 10 * rows["version"]))
    edges_id, features = build_edges("base_of_two", {"amount": "number"}, name="edges_of_two")
    build_tiles("vb", "base_of_two", Tiling("edges_of_two", edges_id, features, version="version"))
    build_tiles("vn", "now_of_two", Tiling("edges_of_two", edges_id, features, "at", version="version"))
    later = Window("vn", edges_id, START + timedelta(days=5))
    by_version = answers(compared("edges_of_two", Window("vb", edges_id), later, "duckdb", keys=("version", "feature")))
    assert by_version[2, "amount"]["chi2_p"] > 0.01
    assert (by_version[1, "amount"]["current_rows"], by_version[1, "amount"]["ks"]) == (0, None)
    together = answers(compared("edges_of_two", Window("vb", edges_id), later, "duckdb", keys=("feature",)))
    assert together["amount",]["chi2_p"] < 1e-6


def test_an_empty_window_has_the_reference_and_no_statistics(built: Any) -> None:
    late = Window("now_tiles", built[0], START + timedelta(days=100), START + timedelta(days=101))
    row = answers(compared("the_edges", Window("base_tiles", built[0]), late, "duckdb"))["all", None, "amount"]
    assert (row["reference_rows"], row["current_rows"], row["psi"], row["chi2_p"]) == (3_000, 0, None, None)
    assert rows_of(moments("the_edges", late, "duckdb")) == []


def test_values_that_the_baseline_has_not_are_told_apart(built: Any) -> None:
    edges_id, features = built
    store("new", frame(np.random.default_rng(15), 50).assign(shop="nowhere", size=1_000))
    direct = tiles("new", Tiling("the_edges", edges_id, features), "duckdb")
    found = {(row["feature"], row["bin"]): row["n"] for row in rows_of(direct) if row["feature"] in ("shop", "size")}
    assert found == {("shop", 0): 50, ("size", features[1].bins - 1): 50}
    assert set(KINDS) == {feature.name for feature in features}


def test_what_is_asked_for_wrongly() -> None:
    window = Window("t", "1")
    with pytest.raises(InvalidRequestError, match="not after its start"):
        Window("t", "1", datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC))
    with pytest.raises(InvalidRequestError, match="no feature among the keys"):
        compared("e", window, window, "duckdb", keys=("segment",))
    with pytest.raises(InvalidRequestError, match="0 buckets"):
        moving("e", window, window, "duckdb", size=0)
    with pytest.raises(UnknownNameError):
        moving("e", window, window, "duckdb", size=1, bucket="decade")  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError):
        tiles("t", Tiling("e", "1", (Feature("a", "number"),)), "oracle")  # type: ignore[arg-type]
