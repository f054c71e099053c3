"""How well features tell a protected column, on DuckDB, against scipy and scikit-learn."""

from __future__ import annotations

from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.stats.contingency import association
from sklearn.metrics import mutual_info_score

from penstock.errors import InvalidRequestError
from penstock.monitoring.performance.proxies import proxies

CONNECTION = duckdb.connect()
QUERY = proxies("applicants", "The group", "duckdb", texts=["a", "it's"]).sql("duckdb")


def asked(query: str, frame: pd.DataFrame) -> dict[str, dict[str, Any]]:
    CONNECTION.register("applicants", pa.Table.from_pandas(frame))
    cursor = CONNECTION.execute(query)
    names = [each[0] for each in cursor.description]
    return {row[0]: dict(zip(names, row, strict=True)) for row in cursor.fetchall()}


def corrected(table: np.ndarray) -> float | None:
    """Bergsma's V, by his formulas."""
    (r, k), n = table.shape, table.sum()
    if min(r, k) < 2:
        return None
    phi = max(0, stats.chi2_contingency(table, correction=False).statistic / n - (r - 1) * (k - 1) / (n - 1))
    least = min(r - (r - 1) ** 2 / (n - 1), k - (k - 1) ** 2 / (n - 1)) - 1
    return float(min(1, np.sqrt(phi / least))) if least > 1e-12 else None


values = st.sampled_from(["x", "y", "z", "NULL", None])
applicants = st.lists(st.tuples(values, values, st.sampled_from(["m", "f", "d", None])), min_size=1, max_size=60)


@settings(max_examples=25, deadline=None)
@given(applicants)
def test_measures_are_scipys(rows: list[tuple[str | None, str | None, str | None]]) -> None:
    frame = pd.DataFrame(rows, columns=["a", "it's", "The group"], dtype=object)
    found = asked(QUERY, frame)
    known = frame[frame["The group"].notna()]
    if not len(known):
        assert found == {}
        return
    for feature in ("a", "it's"):
        row, bins = found[feature], known[feature].map(lambda x: f"={x}" if x is not None else "none")
        table = pd.crosstab(bins, known["The group"]).to_numpy()
        assert (row["rows"], row["bins"], row["groups"]) == (len(known), *table.shape)
        if min(table.shape) < 2:
            assert {row[name] for name in ("cramers_v", "uncertainty", "chi2", "p", "p_adjusted")} == {None}
            continue
        test = stats.chi2_contingency(table, correction=False)
        assert (row["chi2"], row["df"]) == (pytest.approx(test.statistic, rel=1e-9, abs=1e-9), test.dof)
        assert row["p"] == pytest.approx(test.pvalue, rel=1e-9)
        v = corrected(table)
        assert row["cramers_v"] == (v if v is None else pytest.approx(v, rel=1e-6, abs=1e-6))
        share = mutual_info_score(bins, known["The group"]) / stats.entropy(table.sum(0))
        assert row["uncertainty"] == pytest.approx(share, rel=1e-9, abs=1e-9)


def test_a_proxy_stands_out() -> None:
    rng = np.random.default_rng(6)
    n = 4_000
    group = rng.integers(0, 2, n)
    frame = pd.DataFrame({
        "sex": group == 1,
        "height": rng.normal(165 + 12 * group, 7),
        "same": rng.normal(0, 1, n),
        "missing": np.where(rng.uniform(size=n) < 0.1 + 0.4 * group, np.nan, rng.normal(0, 1, n)),
        "town": rng.choice(list("abcdefgh"), n),
        "title": np.where(group, "Mr", "Ms"),
        "one": "same",
    })  # fmt: skip
    query = proxies(
        "applicants", "sex", "duckdb", texts=["town", "title", "one"], numbers=["height", "same", "missing"]
    ).sql("duckdb")
    found = asked(query, frame)
    assert found["title"]["cramers_v"] == pytest.approx(1, abs=1e-3)
    assert found["title"]["uncertainty"] == pytest.approx(1)
    assert found["height"]["cramers_v"] > 0.5
    assert found["missing"]["cramers_v"] > 0.3
    for nothing in ("same", "town"):
        assert found[nothing]["cramers_v"] < 0.05
        assert found[nothing]["p_adjusted"] > 0.01
    assert found["one"]["cramers_v"] is None
    # numbers are cut into tenths, and those that are missing are one more
    assert (found["height"]["bins"], found["missing"]["bins"]) == (10, 11)
    table = pd.crosstab(pd.qcut(frame["height"], 10), frame["sex"]).to_numpy()
    assert found["height"]["chi2"] == pytest.approx(stats.chi2_contingency(table, correction=False).statistic, rel=1e-9)
    assert association(table) == pytest.approx(found["height"]["cramers_v"], abs=0.01)


def test_what_cannot_be_asked() -> None:
    with pytest.raises(InvalidRequestError, match="there are no features"):
        proxies("t", "sex", "spark")
    with pytest.raises(InvalidRequestError, match="'Sex' is named twice"):
        proxies("t", "sex", "spark", texts=["Sex"])
    with pytest.raises(InvalidRequestError, match="there are 1 bins"):
        proxies("t", "sex", "spark", numbers=["a"], bins=1)
