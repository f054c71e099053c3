"""Distances of histograms on DuckDB, against scipy and numpy over the counts, and over rows that were binned."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from golden_drift import GOLDEN, employment
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats
from scipy.spatial.distance import jensenshannon

from penstock.errors import InvalidRequestError, UnknownNameError
from penstock.monitoring.drift import Histograms, drift
from penstock.monitoring.drift.distances import STATISTICS, Smoothing

Row = dict[str, Any]

CONNECTION = duckdb.connect()
BINS = Histograms("bins_given")
WIDE = Histograms("bins_given", keys=(), width="width")


@cache
def sql_of(histograms: Histograms, smoothing: Smoothing) -> str:
    return drift(histograms, "duckdb", smoothing=smoothing).sql("duckdb")


def asked(histograms: Histograms, smoothing: Smoothing = "none") -> list[Row]:
    answer = CONNECTION.execute(sql_of(histograms, smoothing))
    names = [each[0] for each in answer.description]
    return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]


def of_bins(bins: list[Row], histograms: Histograms = BINS, smoothing: Smoothing = "none") -> list[Row]:
    """The answer of rows of bins, by feature where there is one."""
    kinds = {"n": pa.int64(), "m": pa.int64(), "position": pa.float64(), "width": pa.float64(), "feature": pa.string()}
    used = [(name, kind) for name, kind in kinds.items() if name in bins[0]]
    CONNECTION.register("bins_given", pa.Table.from_pylist(bins, schema=pa.schema(used)))
    return asked(histograms, smoothing)


def test_golden_numbers() -> None:
    rows = {row["feature"]: row for row in asked(Histograms(employment()))}
    for (pair, statistic), expected in GOLDEN.items():
        assert rows[pair][statistic] == pytest.approx(expected, rel=1e-9), (pair, statistic)
    # of values without an order
    assert [rows["marital"][name] for name in ("ks", "ks_upper", "ks_p", "wasserstein", "wasserstein_error")] == [
        None
    ] * 5
    assert (rows["age"]["reference_rows"], rows["age"]["current_rows"], rows["age"]["bins"]) == (68_785, 5_000, 93)
    assert rows["age"]["wasserstein_error"] == 0


# ---------------------------------------------------------------- random counts


@dataclass(frozen=True)
class Pair:
    n: np.ndarray
    m: np.ndarray
    position: list[float | None]

    def rows(self, feature: str) -> list[Row]:
        return [
            {"feature": feature, "n": int(n), "m": int(m), "position": position}
            for n, m, position in zip(self.n, self.m, self.position, strict=True)
        ]


counts = st.one_of(st.just(0), st.integers(1, 9), st.integers(10, 100_000))


@st.composite
def pairs(draw: st.DrawFn) -> Pair:
    """Two histograms, in any order of the bins; some bins are empty, some have no position, a side may have no rows."""
    size = draw(st.integers(1, 12))
    n, m = (draw(st.lists(counts, min_size=size, max_size=size)) for _ in range(2))
    places = st.floats(-1e6, 1e6).map(lambda x: round(x, 3))
    position: list[float | None] = list(draw(st.lists(places, min_size=size, max_size=size, unique=True)))
    for at in draw(st.sets(st.integers(0, size - 1), max_size=2)):
        position[at] = None
    return Pair(np.array(n), np.array(m), position)


def expected(pair: Pair, smoothing: Smoothing) -> Row:
    some = (pair.n + pair.m) > 0
    n, m = pair.n[some].astype(float), pair.m[some].astype(float)
    answer: Row = dict.fromkeys(STATISTICS)
    answer |= {"reference_rows": int(n.sum()), "current_rows": int(m.sum()), "bins": len(n)}
    if not n.sum() or not m.sum():
        return answer
    p, q = n / n.sum(), m / m.sum()
    answer |= {
        "psi": stability(n, m, 0.5 if smoothing == "jeffreys" else 0.0),
        "js": float(jensenshannon(p, q, base=2)),
        "hellinger": math.sqrt(max(0.0, 1 - float(np.sqrt(p * q).sum()))),
        "total_variation": 1 - float(np.minimum(p, q).sum()),
        "l_infinity": float(np.abs(p - q).max()),
        "df": len(n) - 1,
        "chi2": 0.0,
        "g": 0.0,
    }
    for name, power in (("chi2", 1), ("g", 0)) if len(n) > 1 else ():
        found = stats.chi2_contingency([n, m], correction=False, lambda_=power)
        answer |= {name: found.statistic, f"{name}_p": found.pvalue}
    return answer | of_scale(pair)


def of_scale(pair: Pair) -> Row:
    placed = [at for at, position in enumerate(pair.position) if position is not None]
    n, m, x = pair.n[placed], pair.m[placed], np.array([pair.position[at] for at in placed], float)
    if not n.sum() or not m.sum():
        return {}
    at = np.unique(x)
    f, g = (np.array([side[x <= value].sum() for value in at]) / side.sum() for side in (n, m))
    d = float(np.abs(f - g).max())
    scaled = math.sqrt(n.sum() / (n.sum() + m.sum()) * m.sum()) * d
    return {
        "ks": d,
        "ks_upper": d,
        "ks_p": special.kolmogorov(scaled),
        "wasserstein": stats.wasserstein_distance(x, x, n, m),
        "wasserstein_error": 0.0,
    }


def stability(n: np.ndarray, m: np.ndarray, more: float) -> float:
    n, m = n + more, m + more
    if not (n.all() and m.all()):
        return math.inf
    return float(special.rel_entr(n / n.sum(), m / m.sum()).sum() + special.rel_entr(m / m.sum(), n / n.sum()).sum())


@settings(max_examples=80, deadline=None)
@given(st.lists(pairs(), min_size=1, max_size=8), st.sampled_from(["none", "jeffreys"]))
def test_random_counts(given_pairs: list[Pair], smoothing: Smoothing) -> None:
    bins = [row for at, pair in enumerate(given_pairs) for row in pair.rows(f"feature {at}")]
    got = {row.pop("feature"): row for row in of_bins(bins, smoothing=smoothing)}
    assert len(got) == len(given_pairs)
    for at, pair in enumerate(given_pairs):
        row, wanted = got[f"feature {at}"], expected(pair, smoothing)
        assert list(row) == list(STATISTICS)
        for name in STATISTICS:
            if wanted[name] is None:
                assert row[name] is None, name
            elif name in {"js", "hellinger"}:
                # roots of what their oracles take as a difference of nearly equal numbers
                assert row[name] ** 2 == pytest.approx(wanted[name] ** 2, rel=1e-9, abs=1e-14), name
            else:
                loose = 1e-9 * (1 if name in {"g", "g_p", "wasserstein"} else 1e-5)
                assert row[name] == pytest.approx(wanted[name], rel=1e-9, abs=loose), name


def test_equal_shares_have_no_distance() -> None:
    [row] = of_bins([{"n": n, "m": 3 * n, "position": n} for n in (1, 7, 0, 11)], Histograms("bins_given", keys=()))
    distances = [row[name] for name in ("psi", "js", "hellinger", "total_variation", "l_infinity", "ks", "wasserstein")]
    assert (distances, row["chi2"], row["chi2_p"], row["ks_p"]) == ([0] * 7, 0, 1, 1)


def test_a_side_without_rows_has_no_distance() -> None:
    bins = [{"n": 3, "m": None, "position": 1}, {"n": 4, "m": 0, "position": 2}]
    [row] = of_bins(bins, Histograms("bins_given", keys=()))
    assert [row[name] for name in ("reference_rows", "current_rows", "bins")] == [7, 0, 2]
    assert {row[name] for name in STATISTICS[3:]} == {None}


# ---------------------------------------------------------------- rows in bins


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_the_rows_own_distances_are_within_the_bounds(data: st.DataObject) -> None:
    values = st.lists(st.floats(0, 10).map(lambda x: round(x, 2)), min_size=1, max_size=40)
    reference, current = np.array(data.draw(values)), np.array(data.draw(values))
    inner = data.draw(st.sets(st.integers(1, 9), max_size=6))
    edges = np.array([0, *sorted(inner), 10.01])
    n, m = np.histogram(reference, edges)[0], np.histogram(current, edges)[0]
    bins = [
        {"n": int(n[at]), "m": int(m[at]), "position": (low + high) / 2, "width": high - low}
        for at, (low, high) in enumerate(pairwise(edges))
    ]
    [row] = of_bins(bins, WIDE)
    ks = greatest_gap(reference, current)
    assert row["ks"] - 1e-12 <= ks <= row["ks_upper"] + 1e-12
    largest = max(*(n / n.sum()), *(m / m.sum()))
    assert row["ks_upper"] <= row["ks"] + largest + 1e-12
    assert row["ks_upper"] == pytest.approx(max(apart(n, m)))
    distance = stats.wasserstein_distance(reference, current)
    assert abs(row["wasserstein"] - distance) <= row["wasserstein_error"] + 1e-9


def greatest_gap(reference: np.ndarray, current: np.ndarray) -> float:
    at = np.concatenate([reference, current])
    f, g = (np.searchsorted(np.sort(rows), at, "right") / len(rows) for rows in (reference, current))
    return float(np.abs(f - g).max())


def apart(n: np.ndarray, m: np.ndarray) -> Iterator[float]:
    """The distances of rows that have these counts, those of one bin with one side all before the other."""
    middle = np.arange(len(n), dtype=float)
    for bin_ in middle:
        for moved in (-0.25, 0.25):
            yield greatest_gap(np.repeat(middle + moved * (middle == bin_), n), np.repeat(middle, m))


def test_a_bin_open_to_a_side() -> None:
    bins = [
        {"n": 0, "m": 2, "position": 0.0, "width": None},
        {"n": 3, "m": 3, "position": 5.0, "width": 10.0},
        {"n": 1, "m": 0, "position": None, "width": None},
    ]
    [row] = of_bins(bins, WIDE)
    assert (row["ks"], row["wasserstein"], row["wasserstein_error"]) == (0.4, 2.0, math.inf)
    assert row["ks_upper"] == 1.0  # all rows of the one may be before those of the other
    assert (row["bins"], row["df"]) == (3, 2)
    [row] = of_bins([{**bins[0], "m": 0}, *bins[1:]], WIDE)
    assert row["wasserstein_error"] == 10.0


# ---------------------------------------------------------------- names and shape


def test_names_of_users_are_quoted_and_do_not_meet_ours() -> None:
    CONNECTION.execute("""CREATE TABLE "a ""b" ("N" INT, "it's" TEXT, "ref n" INT, p INT, "at" DATE)""")
    CONNECTION.execute("""INSERT INTO "a ""b" VALUES (1, 'x', 3, 4, NULL), (2, 'x', 5, 1, NULL)""")
    [row] = asked(Histograms('"a ""b"', ("it's", "at"), "ref n", "p", position="N"))
    assert list(row) == ["it's", "at", *STATISTICS]
    assert (row["it's"], row["at"], row["reference_rows"]) == ("x", None, 8)
    assert len(asked(Histograms('"a ""b"', ("n",), "ref n", "p", position=None))) == 2


def test_keys_that_cannot_be() -> None:
    with pytest.raises(InvalidRequestError, match="'PSI' has the name of a statistic"):
        drift(Histograms("t", ("PSI",)), "duckdb")
    with pytest.raises(InvalidRequestError, match="'A' is named twice"):
        drift(Histograms("t", ("a", "A")), "duckdb")
    with pytest.raises(UnknownNameError, match="smoothing 'laplace'"):
        drift(Histograms("t"), "duckdb", smoothing="laplace")  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError, match="dialect 'postgres'"):
        drift(Histograms("t"), "postgres")  # type: ignore[arg-type]
