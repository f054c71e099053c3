"""Champion beside challenger on DuckDB, against numpy, scipy, scikit-learn and statsmodels; and looking often."""

from __future__ import annotations

import math
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy import stats
from sklearn import metrics
from sqlglot import exp
from statsmodels.stats.contingency_tables import mcnemar

from penstock.dialects import double
from penstock.errors import InvalidRequestError, UnknownNameError
from penstock.monitoring.gates.always_valid import always_valid_p, always_valid_width
from penstock.monitoring.gates.auc import areas
from penstock.monitoring.gates.mcnemar import mcnemar_p
from penstock.monitoring.gates.paired import COLUMNS, Scored, compare
from penstock.monitoring.performance.calibration import calibration
from penstock.monitoring.performance.scores import Scores

ROWS = "rows_of_test"


def run(query: exp.Select, frame: pd.DataFrame) -> list[dict[str, Any]]:
    connection = duckdb.connect()
    connection.register(ROWS, pa.Table.from_pandas(frame, preserve_index=False))
    answer = connection.execute(query.sql("duckdb"))
    names = [each[0] for each in answer.description]
    return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]


def value_of(expression: exp.Expr) -> Any:
    return duckdb.connect().execute(f"SELECT {expression.sql('duckdb')}").fetchall()[0][0]


def world(seed: int, n: int) -> pd.DataFrame:
    """Labels, two scores on a coarse grid so that many are equal, holes in all of them, and slices with NULLs."""
    draw = np.random.default_rng(seed)
    truth = draw.uniform(0, 1, n)
    frame = pd.DataFrame(
        {
            "label": (draw.uniform(0, 1, n) < truth).astype(float),
            "champion": np.clip(np.round(truth + draw.normal(0, 0.3, n), 2), 0, 1),
            "challenger": np.clip(np.round(truth + draw.normal(0, 0.2, n), 2), 0, 1),
            "carrier": draw.choice(["AA", "it's", None], n),
            "hour": draw.integers(0, 3, n),
        }
    )
    for column in ("label", "champion", "challenger"):
        frame.loc[draw.uniform(0, 1, n) < 0.05, column] = np.nan
    return frame


LEAST = np.finfo(float).eps
LOSS = {
    "log_loss": lambda y, p: -np.log(np.clip(np.where(y == 1, p, 1 - p), LEAST, 1 - LEAST)),
    "squared_error": lambda y, p: (y - p) ** 2,
    "absolute_error": lambda y, p: abs(y - p),
    "zero_one": lambda y, p: ((p >= 0.5) != (y == 1)).astype(float),
}


def expected(frame: pd.DataFrame, name: str) -> dict[str, Any]:
    labelled = frame[frame.label.notna()]
    both = labelled[labelled.champion.notna() & labelled.challenger.notna()]
    y, old, new = both.label, both.champion, both.challenger
    gains = LOSS[name](y, old) - LOSS[name](y, new)
    wrong_old, wrong_new = LOSS["zero_one"](y, old), LOSS["zero_one"](y, new)
    better, worse = int((wrong_old > wrong_new).sum()), int((wrong_old < wrong_new).sum())
    return {
        "compared": len(both),
        "unscored": int((labelled.champion.notna() & labelled.challenger.isna()).sum()),
        "unfit": 0,
        "champion_loss": LOSS[name](y, old).mean(),
        "challenger_loss": LOSS[name](y, new).mean(),
        "gain": gains.mean(),
        "se": gains.std(ddof=1) / math.sqrt(len(gains)),
        "z": stats.ttest_rel(LOSS[name](y, old), LOSS[name](y, new)).statistic,
        "better": better,
        "worse": worse,
        "mcnemar_p": mcnemar([[0, better], [worse, 0]], exact=better + worse <= 1000, correction=False).pvalue,
        "challenger_ece": sum(
            abs((new - y)[np.minimum(9, np.floor(new * 10)) == at].sum()) for at in range(10)
        ) / len(both),
    }  # fmt: skip


@pytest.mark.parametrize("name", LOSS)
@pytest.mark.parametrize("n", [40, 5000])
def test_a_comparison_is_that_of_numpy_and_scipy(name: str, n: int) -> None:
    frame = world(n, n)
    scored = Scored(ROWS)
    rows = run(compare(scored, "duckdb", loss_name=name, slices=["carrier", "hour"]), frame)
    parts = {(None, None): frame}
    parts |= {
        ("carrier", v): frame[frame.carrier.isna() if v is None else frame.carrier == v] for v in ("AA", "it's", None)
    }
    parts |= {("hour", str(v)): frame[frame.hour == v] for v in range(3)}
    found = {(row["slice"], row["value"]): row for row in rows}
    assert found.keys() == parts.keys()
    for key, part in parts.items():
        assert tuple(found[key]) == COLUMNS
        for column, value in expected(part, name).items():
            assert found[key][column] == pytest.approx(value, rel=1e-9, abs=1e-12), (key, column)
    whole = found[None, None]
    assert whole["p"] == pytest.approx(2 * stats.norm.sf(abs(whole["z"])), rel=1e-9)
    assert whole["gain_low"] < whole["gain"] < whole["gain_high"]
    assert whole["gain_high"] - whole["gain"] == pytest.approx(whole["gain"] - whole["gain_low"])


@pytest.mark.parametrize("seed", range(3))
def test_areas_are_those_of_scikit_learn(seed: int) -> None:
    frame = world(seed, 700)
    frame["challenger"] = frame.challenger * 1e-4 + 0.3  # all within one range
    both = frame.dropna(subset=["label", "champion", "challenger"])
    [found] = run(areas(Scored(ROWS), "duckdb"), frame)
    for which in ("champion", "challenger"):
        assert found[f"{which}_auc"] == pytest.approx(metrics.roc_auc_score(both.label, both[which]), rel=1e-12)
    [alone] = run(areas(Scored(ROWS, champion=None), "duckdb"), frame)
    only = frame.dropna(subset=["label", "challenger"])
    assert alone["champion_auc"] is None
    assert alone["challenger_auc"] == pytest.approx(metrics.roc_auc_score(only.label, only.challenger), rel=1e-12)
    [one] = run(areas(Scored(ROWS), "duckdb"), frame.assign(label=1.0))
    assert one["challenger_auc"] is None, "all labels are 1"


def test_the_calibration_error_is_that_of_calibration() -> None:
    frame = world(9, 2000)
    [row] = run(compare(Scored(ROWS, champion=None), "duckdb", loss_name="log_loss"), frame)
    [other] = run(calibration(Scores(ROWS, score="challenger"), "duckdb"), frame)
    assert row["challenger_ece"] == pytest.approx(other["ece"], rel=1e-12)


def test_without_a_champion_only_the_challenger_is_judged() -> None:
    frame = world(5, 300)
    [row] = run(compare(Scored(ROWS, champion=None), "duckdb", loss_name="log_loss"), frame)
    scored = frame.dropna(subset=["label", "challenger"])
    assert row["compared"] == len(scored)
    assert row["unscored"] == (frame.label.notna() & frame.challenger.isna()).sum()
    assert row["challenger_loss"] == pytest.approx(metrics.log_loss(scored.label, scored.challenger))
    empty = ("champion_loss", "gain", "se", "p", "gain_low", "better", "mcnemar_p", "champion_ece")
    assert [row[name] for name in empty] == [None] * len(empty)


def test_equal_scores_and_few_rows() -> None:
    same = pd.DataFrame({"label": [1.0, 0.0, 1.0], "champion": [0.7, 0.2, 0.9]}).assign(challenger=lambda f: f.champion)
    [row] = run(compare(Scored(ROWS), "duckdb", loss_name="log_loss"), same)
    assert [row[name] for name in ("gain", "p", "always_valid_p", "gain_low", "gain_high", "mcnemar_p")] == [
        0,
        1,
        1,
        0,
        0,
        1,
    ]
    constant = same.assign(challenger=same.champion.where(same.label == 1, 0.2) + 0.0)
    constant["champion"], constant["label"] = 0.5, 1.0
    constant["challenger"] = 1.0
    [row] = run(compare(Scored(ROWS), "duckdb", loss_name="squared_error"), constant)
    assert [row[name] for name in ("gain", "se", "p", "always_valid_p", "gain_low")] == [0.25, 0, 0, 0, 0.25]
    [row] = run(compare(Scored(ROWS), "duckdb", loss_name="log_loss"), same[:1])
    assert [row[name] for name in ("compared", "se", "p", "gain_low")] == [1, None, None, None]
    [row] = run(compare(Scored(ROWS), "duckdb", loss_name="log_loss"), same[:0])
    assert [row[name] for name in ("compared", "gain", "challenger_ece")] == [0, None, None]


def test_labels_and_scores_that_are_no_probabilities() -> None:
    frame = pd.DataFrame({"label": [3.0, 0.0, 1.0], "champion": [2.0, 1.0, math.nan], "challenger": [3.0, 0.5, 1.0]})
    [row] = run(compare(Scored(ROWS, probabilities=False), "duckdb", loss_name="squared_error"), frame)
    assert [row[name] for name in ("compared", "unfit", "gain", "better", "challenger_ece")] == [
        2,
        0,
        0.875,
        None,
        None,
    ]
    [row] = run(compare(Scored(ROWS), "duckdb", loss_name="squared_error"), frame)
    assert row["unfit"] == 1


@pytest.mark.parametrize(
    ("better", "worse"), [(0, 0), (3, 9), (9, 3), (5, 5), (0, 30), (400, 600), (470, 531), (9000, 8000)]
)
def test_mcnemar_is_that_of_statsmodels(better: int, worse: int) -> None:
    columns = mcnemar_p(exp.column("b"), exp.column("c"), "duckdb").sql("duckdb")
    [(found,)] = duckdb.connect().execute(f"SELECT {columns} FROM (SELECT {better} AS b, {worse} AS c)").fetchall()
    oracle = mcnemar([[0, better], [worse, 0]], exact=better + worse <= 1000, correction=False)
    assert found == pytest.approx(oracle.pvalue if better + worse else 1.0, rel=1e-9)


def test_the_sequential_test_is_that_of_growthbook() -> None:
    # Orders of 2,023 and 1,977 users, their sums and sums of squares; gbstats 0.7's sequential test, tuned for 5,000.
    (n0, s0, q0), (n1, s1, q1) = (2023, 1073, 2073), (1977, 1133, 2121)
    variance = sum((q / n - (s / n) ** 2) / (n - 1) for n, s, q in ((n0, s0, q0), (n1, s1, q1)))
    given = double(s1 / n1 - s0 / n0), double(math.sqrt(variance)), double(4000.0)
    found = value_of(always_valid_p(*given, alpha=0.05, tuned_for=5000))
    assert found == pytest.approx(0.9414862416356409, rel=1e-12)
    # Its interval of the difference with CUPED, from estimate and p-value.
    width = value_of(always_valid_width(double(1.0), double(4000.0), alpha=0.05, tuned_for=5000))
    estimate, low = 0.058303892608663865, -0.0077703
    se = (estimate - low) / width
    p = value_of(always_valid_p(double(estimate), double(se), double(4000.0), alpha=0.05, tuned_for=5000))
    assert p == pytest.approx(0.12101967750575805, rel=1e-4)


def test_looking_often_makes_no_false_alarm() -> None:
    # Thirty looks at 4,000 comparisons of two versions that are equally good.
    looks, each, runs = 30, 100, 4000
    draw = np.random.default_rng(20)
    blocks = draw.exponential(1.0, (runs, looks, each)) - 1.0  # skewed, as differences of losses are
    sums, squares = blocks.sum(axis=2).cumsum(axis=1), (blocks**2).sum(axis=2).cumsum(axis=1)
    n = each * np.arange(1, looks + 1)
    mean = sums / n
    se = np.sqrt((squares / n - mean**2) / (n - 1))
    table = pa.table(
        {"gain": mean.ravel(), "se": se.ravel(), "n": np.tile(n, runs), "run": np.repeat(np.arange(runs), looks)}
    )
    connection = duckdb.connect()
    connection.register(ROWS, table)
    asked = exp.column("gain"), exp.column("se"), exp.column("n")
    told = {"alpha": 0.05, "tuned_for": 2000}
    p = always_valid_p(*asked, **told).sql("duckdb")
    width = always_valid_width(*asked[1:], **told).sql("duckdb")
    counted = (
        f"SELECT MIN({p}) < 0.05 AS alarm, BOOL_OR(ABS(gain) > {width}) AS missed, MAX(ABS(gain / se)) > 1.96 AS fixed"
    )
    shares = ", ".join(f"AVG(CAST({each} AS INT))" for each in ("alarm", "missed", "fixed"))
    query = f"SELECT {shares} FROM ({counted} FROM {ROWS} GROUP BY run)"
    [(alarms, missed, fixed)] = connection.execute(query).fetchall()
    assert alarms <= 0.05
    assert missed == pytest.approx(alarms, abs=1e-3), "the interval and the p-value say the same"
    assert 0.25 < fixed < 0.40, "a test for one look is not one for thirty"


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="did you mean: log_loss"):
        compare(Scored(ROWS), "duckdb", loss_name="logloss")
    with pytest.raises(UnknownNameError, match="unknown dialect"):
        compare(Scored(ROWS), "snow", loss_name="log_loss")  # type: ignore[arg-type]
    with pytest.raises(InvalidRequestError, match="log_loss is of probabilities"):
        compare(Scored(ROWS, probabilities=False), "duckdb", loss_name="log_loss")
    with pytest.raises(InvalidRequestError, match="named twice"):
        compare(Scored(ROWS), "duckdb", loss_name="log_loss", slices=["a", "A"])
    with pytest.raises(InvalidRequestError, match="alpha is 5"):
        compare(Scored(ROWS), "duckdb", loss_name="log_loss", alpha=5)
    with pytest.raises(InvalidRequestError, match="tuned_for is 0"):
        compare(Scored(ROWS), "duckdb", loss_name="log_loss", tuned_for=0)
