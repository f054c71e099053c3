"""The SQL of linear models on DuckDB, against the estimator itself."""

from __future__ import annotations

from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from pipelines import TARGETS, arrow, asked, fitted, told
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sqlglot import exp, parse_one

from penstock.errors import InvalidDefinitionError
from penstock.scoring.linear.average import average_from_aggregates
from penstock.scoring.linear.formula import Formula
from penstock.scoring.linear.from_sklearn import from_sklearn
from penstock.scoring.linear.sql import score_expression


def arguments(formula: Formula) -> dict[str, exp.Expression]:
    return {name: exp.column(name, quoted=True) for name in formula.used}


def sql_of(formula: Formula) -> str:
    return score_expression(formula, arguments(formula), "duckdb").sql("duckdb")


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("seed", range(8))
def test_sql_of_random_pipelines_is_equal_to_the_estimator(seed: int, target: str) -> None:
    model, frame = fitted(seed, target)
    formula = from_sklearn(model)
    expected = told(model, frame)
    expected = expected[:, 1] if target == "two" else expected
    np.testing.assert_allclose(asked(sql_of(formula), frame), expected, rtol=1e-10, atol=1e-12)


def test_missing_values_of_a_model_without_an_imputer_are_null() -> None:
    frame = pd.DataFrame({"a": [1.0, 2.0, 4.0], "b": [1.0, 0.0, 0.0]})
    formula = from_sklearn(LinearRegression().fit(frame, [1, 2, 3]))
    for lacking in ("NULL::DOUBLE", "'NaN'::DOUBLE"):
        score = score_expression(formula, {"a": parse_one(lacking, dialect="duckdb"), "b": exp.column("b")}, "duckdb")
        assert duckdb.sql(f"SELECT {score.sql('duckdb')} FROM (SELECT 1 AS b)").fetchall() == [(None,)]
    model = LogisticRegression().fit(frame, ["x", "y", "z"])
    score = score_expression(from_sklearn(model), {"a": exp.null(), "b": exp.column("b")}, "duckdb")
    assert duckdb.sql(f"SELECT {score.sql('duckdb')} FROM (SELECT 1 AS b)").fetchall() == [(None,)]


def test_nan_is_filled_as_null_is() -> None:
    model, frame = fitted(0, "number")
    formula = from_sklearn(model)
    assert any(each.missing is not None for each in formula.numbers)
    given = {
        name: exp.func("COALESCE", exp.column(name), exp.cast(exp.Literal.string("NaN"), "double"))
        if frame[name].dtype == float
        else exp.column(name)
        for name in formula.used
    }
    got = asked(score_expression(formula, given, "duckdb").sql("duckdb"), frame)
    np.testing.assert_allclose(got, told(model, frame), rtol=1e-10, atol=1e-12)


def test_a_level_that_the_model_refuses_is_an_error_and_a_missing_one_null() -> None:
    train = pd.DataFrame({"c": ["x", "y", "z"]})
    formula = from_sklearn(make_pipeline(OneHotEncoder(), Ridge()).fit(train, [1, 2, 4]))
    assert np.isnan(asked(sql_of(formula), pd.DataFrame({"c": [None, "x"]}))).tolist() == [True, False]
    with pytest.raises(duckdb.Error, match="level that the model does not know"):
        asked(sql_of(formula), pd.DataFrame({"c": ["x", "new"]}))


def test_scores_far_out_are_zero_and_one() -> None:
    frame = pd.DataFrame({"a": [-1e6, 1e6, 0.0]})
    model = LogisticRegression().fit(frame, ["x", "y", "z"])
    np.testing.assert_allclose(asked(sql_of(from_sklearn(model)), frame), told(model, frame), atol=1e-12)
    two = LogisticRegression().fit(frame, [0, 1, 1])
    np.testing.assert_allclose(asked(sql_of(from_sklearn(two)), frame), told(two, frame)[:, 1], atol=1e-12)


def test_names_of_users_are_quoted() -> None:
    name = 'it\'s "a" `b`'
    formula = from_sklearn(LinearRegression().fit([[1.0], [2.0]], [1, 3]), [name])
    got = asked(sql_of(formula), pd.DataFrame({name: [5.0]}))
    assert got == pytest.approx([9.0])


def test_what_is_missing_in_the_call_is_told() -> None:
    formula = from_sklearn(LinearRegression().fit([[1.0], [2.0]], [1, 3]), ["a"])
    with pytest.raises(InvalidDefinitionError, match="no argument for the model's input 'a'"):
        score_expression(formula, {"A": exp.column("a")}, "duckdb")


def averages(formula: Formula, frame: pd.DataFrame, *, seed: int) -> list[tuple[Any, ...]]:
    """AVG of the score and the average from aggregates, by random groups, some of one row."""
    groups = np.random.default_rng(seed).integers(0, 40, len(frame)) // np.array([1, 7] * (len(frame) // 2))
    average = average_from_aggregates(formula, arguments(formula), "duckdb").sql("duckdb")
    with duckdb.connect() as connection:
        connection.register("rows", arrow(frame.assign(grp=groups)))
        return connection.execute(f"SELECT AVG({sql_of(formula)}), {average} FROM rows GROUP BY grp").fetchall()


@pytest.mark.parametrize("seed", range(8))
def test_averages_from_aggregates_are_averages_of_scores(seed: int) -> None:
    model, frame = fitted(seed, "number")
    for by_score, by_aggregates in averages(from_sklearn(model), frame, seed=seed):
        assert by_aggregates == pytest.approx(by_score, rel=1e-9, abs=1e-9)


def test_averages_leave_out_what_has_no_score() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=200), "c": rng.choice(["x", "y"], 200)})
    from sklearn.compose import make_column_transformer

    columns = make_column_transformer((OneHotEncoder(), ["c"]), remainder="passthrough")
    formula = from_sklearn(make_pipeline(columns, Ridge()).fit(frame, rng.normal(size=200)))
    holes = frame.assign(a=frame["a"].mask(frame.index % 3 == 0), c=frame["c"].mask(frame.index % 5 < 2, None))
    rows = averages(formula, holes, seed=1)

    for by_score, by_aggregates in rows:
        assert by_aggregates == (None if by_score is None else pytest.approx(by_score, rel=1e-9))
    with pytest.raises(duckdb.Error, match="does not know"):
        averages(formula, frame.assign(c="new"), seed=1)


@pytest.mark.parametrize("target", ["two", "three", "several", "positive"])
def test_averages_of_other_links_are_refused(target: str) -> None:
    formula = from_sklearn(fitted(0, target)[0])
    if formula.link == "identity" and len(formula.intercepts) == 1:
        pytest.skip("a Tweedie regressor of power 0 has the identity link")
    with pytest.raises(InvalidDefinitionError, match="average"):
        average_from_aggregates(formula, arguments(formula), "duckdb")
