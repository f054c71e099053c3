"""Tiles on DuckDB: edges chosen of a baseline, and rows in their bins, which add up and are taken away."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tiled import CONNECTION, KINDS, build_edges, build_tiles, frame, rows_of, store

from penstock.errors import InvalidRequestError, UnknownNameError
from penstock.monitoring.drift import Baseline, Feature, Tiling, tiles

# ---------------------------------------------------------------- edges


def bins_of(feature: str) -> list[dict[str, Any]]:
    return rows_of(f"SELECT * FROM the_edges WHERE feature = '{feature}' ORDER BY bin")


def test_a_smooth_number_has_quantiles_for_edges() -> None:
    values = np.random.default_rng(1).normal(size=2_000)
    store("base", frame(np.random.default_rng(1), 2_000).assign(amount=values))
    build_edges("base", {"amount": "number"}, values=0)
    bins = [row for row in bins_of("amount") if row["bin"] >= 0]
    assert (bins[0]["high"], bins[-1]["low"]) == (values.min(), values.max())
    inner = bins[1:-1]
    assert len(inner) == 20
    counts = [((values >= row["low"]) & (values < row["high"])).sum() for row in inner]
    # the greatest value belongs to the last of them, though its upper edge is that value
    counts[-1] += 1
    assert sum(counts) == 2_000
    assert max(counts) - min(counts) <= 2
    assert all(row["position"] == pytest.approx((row["low"] + row["high"]) / 2) for row in inner)
    assert all(row["width"] == row["high"] - row["low"] for row in inner)
    assert bins[0]["position"] < bins[1]["low"] and bins[-1]["position"] > bins[-1]["low"]
    assert bins[0]["centre"] == pytest.approx(values.mean())


def test_a_frequent_value_has_a_bin_of_its_own() -> None:
    values = np.r_[np.zeros(600), np.random.default_rng(2).exponential(size=400)]
    store("base", frame(np.random.default_rng(1), 1_000).assign(amount=values))
    build_edges("base", {"amount": "number"}, bins=10, values=0)
    [zero] = [row for row in bins_of("amount") if row["width"] == 0]
    assert (zero["low"], zero["high"], zero["position"]) == (0, 0, 0)
    [beside] = [row for row in bins_of("amount") if row["after"] and row["low"] == 0]
    assert beside["bin"] == zero["bin"] + 1


def test_positions_of_a_feature_differ() -> None:
    store("base", frame(np.random.default_rng(3), 500), np.random.default_rng(4))
    build_edges("base")
    for feature in KINDS:
        places = [row["position"] for row in bins_of(feature) if row["position"] is not None]
        assert len(places) == len(set(places))
        codes = [row["bin"] for row in bins_of(feature)]
        assert codes == list(range(codes[0], len(codes) + codes[0]))


def test_a_text_has_its_most_frequent_values() -> None:
    store("base", frame(np.random.default_rng(1), 6).assign(shop=["b", "a", "b", "c", "a", "b"]))
    build_edges("base", {"shop": "text"}, levels=2)
    assert [(row["bin"], row["level"]) for row in bins_of("shop")] == [(-1, None), (0, None), (1, "b"), (2, "a")]


def test_the_id_is_that_of_what_edges_are_chosen_by() -> None:
    one = Baseline("t", {"a": "number"}, "t", 3)
    assert one.edges_id == Baseline("t", {"a": "number"}, "t", 3).edges_id
    others = [
        Baseline("t", {"a": "number"}, "t", 4),
        Baseline("t", {"a": "text"}, "t", 3),
        Baseline("t", {"a": "number"}, "u", 3),
        Baseline("t", {"a": "number"}, "t", 3, bins=10),
    ]
    assert len({one.edges_id, *(each.edges_id for each in others)}) == 5


@pytest.mark.parametrize(
    ("given_", "error"),
    [
        ({"bins": 0}, InvalidRequestError),
        ({"levels": 5_000}, InvalidRequestError),
        ({"features": {}}, InvalidRequestError),
        ({"features": {"a": "date"}}, UnknownNameError),
    ],
)
def test_baselines_that_are_none(given_: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        Baseline(**{"relation": "t", "features": {"a": "number"}, "name": "t", **given_})


# ---------------------------------------------------------------- tiles


def expected_bin(row: Any, bins: list[dict[str, Any]]) -> int:
    """The bin of a value, found by trying each."""
    if row is None:
        return -1
    if bins[0]["kind"] == "text":
        text = str(row).lower() if isinstance(row, bool) else row
        return next((each["bin"] for each in bins if each["level"] == text), 0)
    if np.isnan(row):
        return -2
    if np.isinf(row):
        return -3
    fitting = [
        each["bin"]
        for each in bins
        if each["bin"] >= 0
        and (each["low"] is None or (row > each["low"] if each["after"] else row >= each["low"]))
        and (each["high"] is None or row < each["high"] or each["width"] == 0 or is_last(each, bins))
        and (each["high"] is None or row <= each["high"])
    ]
    [found] = fitting
    return found


def is_last(one: dict[str, Any], bins: list[dict[str, Any]]) -> bool:
    """Whether it is the bin of the greatest value, to which its upper edge belongs."""
    last = bins[-1]
    return one["high"] == last["low"] and one["bin"] == last["bin"] - 1


@pytest.mark.parametrize("values", [0, 100])
def test_each_row_is_in_its_bin(values: int) -> None:
    store("base", frame(np.random.default_rng(5), 400), np.random.default_rng(6))
    store("now", frame(np.random.default_rng(7), 300, shift=1.0), np.random.default_rng(8))
    edges_id, features = build_edges("base", values=values)
    build_tiles("the_tiles", "now", Tiling("the_edges", edges_id, features, "at", "day", "version", ("shop", "vip")))
    expected: dict[tuple[Any, ...], list[float]] = {}
    by_feature = {name: bins_of(name) for name in KINDS}
    for row in rows_of("SELECT * FROM now"):
        day = row["at"].replace(hour=0, minute=0, second=0, microsecond=0)
        vip = None if row["vip"] is None else str(row["vip"]).lower()
        for feature, kind in KINDS.items():
            x = row[feature]
            away = x - by_feature[feature][0]["centre"] if kind == "number" and x is not None and np.isfinite(x) else 0
            for segment, value in (("all", None), ("shop", row["shop"]), ("vip", vip)):
                key = (day, row["version"], segment, value, feature, expected_bin(x, by_feature[feature]))
                sums = expected.setdefault(key, [0, 0.0, 0.0])
                expected[key] = [sums[0] + 1, sums[1] + away, sums[2] + away * away]
    found = {
        (row["bucket"], row["version"], row["segment"], row["value"], row["feature"], row["bin"]): row
        for row in rows_of("SELECT * FROM the_tiles")
    }
    assert found.keys() == expected.keys()
    for key, (n, total, squares) in expected.items():
        assert found[key]["n"] == n, key
        assert found[key]["total"] == pytest.approx(total, rel=1e-12, abs=1e-9)
        assert found[key]["squares"] == pytest.approx(squares, rel=1e-12, abs=1e-9)


def test_rows_without_a_time_are_in_no_tile() -> None:
    given_frame = frame(np.random.default_rng(9), 10)
    store("base", given_frame)
    edges_id, features = build_edges("base")
    CONNECTION.execute('UPDATE base SET "at" = NULL WHERE amount > (SELECT MEDIAN(amount) FROM base)')
    build_tiles("the_tiles", "base", Tiling("the_edges", edges_id, features, "at"))
    [(n,)] = CONNECTION.execute("SELECT SUM(n) FROM the_tiles WHERE feature = 'amount'").fetchall()
    assert n == 5
    build_tiles("the_tiles", "base", Tiling("the_edges", edges_id, features))
    [(n, buckets)] = CONNECTION.execute(
        "SELECT SUM(n), COUNT(bucket) FROM the_tiles WHERE feature = 'amount'"
    ).fetchall()
    assert (n, buckets) == (10, 0)


def test_signed_rows_take_away_what_they_had_added() -> None:
    rng = np.random.default_rng(10)
    store("before", frame(rng, 200), np.random.default_rng(1))
    store("after_", frame(rng, 150, shift=0.5), np.random.default_rng(2))
    edges_id, features = build_edges("before")
    tiling = Tiling("the_edges", edges_id, features, "at", segments=("shop",))
    for name in ("before", "after_"):
        build_tiles(f"tiles_of_{name}", name, tiling)
    changes = "SELECT *, -1 AS sign FROM before UNION ALL SELECT *, 1 AS sign FROM after_"
    CONNECTION.execute(f"CREATE OR REPLACE VIEW changes AS {changes}")
    delta = tiles("changes", tiling, "duckdb", sign="sign").sql("duckdb")
    CONNECTION.execute(f"INSERT INTO tiles_of_before {delta}")
    summed = "SELECT * EXCLUDE (n, total, squares), SUM(n) AS n, SUM(total) AS total FROM {} GROUP BY ALL HAVING n <> 0"
    one, other = (
        {tuple(row.values())[:-1]: row["total"] for row in rows_of(summed.format(name))}
        for name in ("tiles_of_before", "tiles_of_after_")
    )
    assert one.keys() == other.keys()
    assert all(one[key] == pytest.approx(other[key], abs=1e-9) for key in one)
    same = "SELECT *, -1 AS sign FROM before UNION ALL SELECT *, 1 AS sign FROM before"
    CONNECTION.execute(f"CREATE OR REPLACE VIEW changes AS {same}")
    assert rows_of(delta) == []


@pytest.mark.parametrize(
    ("given_", "error"),
    [
        ({"bucket": "decade"}, UnknownNameError),
        ({"features": ()}, InvalidRequestError),
        ({"segments": ("a", "A")}, InvalidRequestError),
        ({"segments": ("all",)}, InvalidRequestError),
    ],
)
def test_tilings_that_are_none(given_: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        Tiling(**{"edges": "e", "edges_id": "1", "features": (Feature("a", "number"),), **given_})
