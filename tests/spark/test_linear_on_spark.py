"""The SQL of linear models on Spark, ANSI mode on and off, against the estimator itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sqlglot import exp

from penstock.scoring.linear.average import average_from_aggregates
from penstock.scoring.linear.formula import Formula
from penstock.scoring.linear.from_sklearn import from_sklearn
from penstock.scoring.linear.sql import score_expression

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.usefixtures("ansi")


def flights(size: int) -> pd.DataFrame:
    """Rows with NULL, NaN, unknown levels and all that a literal can go wrong with."""
    rng = np.random.default_rng(size)
    frame = pd.DataFrame(
        {
            "year": rng.normal(2013, 0.5, size),
            "delay": rng.normal(0, 40, size),
            "carrier": rng.choice(["AA", "O'Hare", "ü", "DL"], size),
            "zone": rng.choice([-1.0, 0.0, 2.5], size),
            "late": rng.random(size) < 0.5,
        }
    )
    frame.loc[::7, "delay"] = np.nan
    frame.loc[3::11, "carrier"] = None
    return frame


def fitted(estimator: Any, y: Any) -> Pipeline:
    columns = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(add_indicator=True), StandardScaler()), ["year", "delay"]),
            ("levels", OneHotEncoder(handle_unknown="ignore"), ["carrier", "zone"]),
        ],
        remainder="passthrough",
    )
    return Pipeline([("columns", columns), ("model", estimator)]).fit(flights(300), y)


NOISE = np.random.default_rng(5).normal(size=300)


@pytest.fixture
def rows(spark: SparkSession) -> Iterator[pd.DataFrame]:
    """The view `linear_rows`: NaN for `delay` in every second row that lacks it, NULL in the others."""
    frame = flights(120)
    frame.loc[5, "carrier"], frame.loc[6, "zone"] = "new", 99.0
    told = frame.astype(object).where(frame.notna(), None)
    told.loc[::14, "delay"] = float("nan")
    kinds = "year DOUBLE, delay DOUBLE, carrier STRING, zone DOUBLE, late BOOLEAN, id INT"
    values = [(*row, at) for at, row in enumerate(told.itertuples(index=False, name=None))]
    spark.createDataFrame(values, kinds).createOrReplaceTempView("linear_rows")
    yield frame
    spark.catalog.dropTempView("linear_rows")


def arguments(formula: Formula) -> dict[str, exp.Expression]:
    return {name: exp.column(name, quoted=True) for name in formula.used}


def asked(spark: SparkSession, score: exp.Expression) -> np.ndarray[Any, Any]:
    answer = spark.sql(f"SELECT {score.sql('spark')} FROM linear_rows ORDER BY id").collect()
    return np.array([value for (value,) in answer], float)


@pytest.mark.parametrize("classes", [2, 3])
def test_scores_are_equal_to_the_estimators(spark: SparkSession, rows: pd.DataFrame, classes: int) -> None:
    model = fitted(LogisticRegression(max_iter=500), np.digitize(NOISE, [0.0, 0.7][: classes - 1]))
    formula = from_sklearn(model)
    expected = model.predict_proba(rows)
    expected = expected[:, 1] if classes == 2 else expected
    score = score_expression(formula, arguments(formula), "spark")
    np.testing.assert_allclose(asked(spark, score), expected, rtol=1e-10)


def test_averages_from_aggregates_are_averages_of_scores(spark: SparkSession, rows: pd.DataFrame) -> None:
    model = fitted(Ridge(), NOISE)
    formula = from_sklearn(model)
    average = average_from_aggregates(formula, arguments(formula), "spark").sql("spark")
    got = spark.sql(f"SELECT id % 9 AS g, {average} FROM linear_rows GROUP BY ALL ORDER BY g").collect()
    expected = pd.Series(model.predict(rows)).groupby(rows.index % 9).mean()
    np.testing.assert_allclose([value for _, value in got], expected, rtol=1e-9)


def test_levels_that_are_refused_and_values_that_lack(spark: SparkSession, rows: pd.DataFrame) -> None:
    strict = from_sklearn(make_pipeline(OneHotEncoder(), Ridge()).fit(flights(50)[["zone"]], np.arange(50)))
    with pytest.raises(Exception, match="level that the model does not know"):
        asked(spark, score_expression(strict, arguments(strict), "spark"))
    formula = from_sklearn(Ridge().fit(flights(50)[["delay"]].fillna(0.0), np.arange(50)))
    answer = spark.sql(f"SELECT {score_expression(formula, arguments(formula), 'spark').sql('spark')} FROM linear_rows")
    assert sum(value is None for (value,) in answer.collect()) == rows["delay"].isna().sum()


def test_many_levels_are_found_by_their_hash(spark: SparkSession) -> None:
    rng = np.random.default_rng(3)
    levels = np.array([f"tail {i} ü'\\" for i in range(300)] + ["", " ", "tail 7"], object)
    frame = pd.DataFrame({"tail": rng.choice(levels, 2_000)})
    model = make_pipeline(OneHotEncoder(handle_unknown="ignore"), Ridge()).fit(frame, rng.normal(size=2_000))
    formula = from_sklearn(model)
    score = score_expression(formula, arguments(formula), "spark").sql("spark")
    asked_for = pd.DataFrame({"tail": [*levels, "unknown", "tail 7 ", "TAIL 7"]})
    given = list(enumerate([*asked_for["tail"], None]))
    spark.createDataFrame(given, "id INT, tail STRING").createOrReplaceTempView("tails")
    got = [value for (value,) in spark.sql(f"SELECT {score} FROM tails ORDER BY id").collect()]
    np.testing.assert_allclose(got[:-1], model.predict(asked_for), rtol=1e-10)
    assert got[-1] == pytest.approx(model.predict(pd.DataFrame({"tail": [None]}))[0])
    select = spark.sql(f"SELECT {score} AS a, {score} AS b FROM tails")._jdf.queryExecution().optimizedPlan()
    one, other = (select.expressions().apply(at).child() for at in range(2))
    assert one.semanticEquals(other), "which Spark computes once"
    spark.catalog.dropTempView("tails")
