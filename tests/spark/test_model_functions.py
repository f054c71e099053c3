"""Functions of models as they are declared: what they return, which version scores, and what goes wrong."""

from __future__ import annotations

import datetime as dt
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

import numpy as np
import pandas as pd
import pytest

from penstock.engines.model_tables import ModelTables
from penstock.engines.spark import run
from penstock.errors import PenstockError
from penstock.registry import mlflow_store
from penstock.registry.promote import promote
from penstock.registry.sync import sync
from penstock.scoring.functions import ALIASES, FUNCTIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyspark.sql import SparkSession

ROWS = 300


def rows_of(seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    frame = pd.DataFrame({"a": random.normal(size=ROWS), "b": random.integers(0, 5, ROWS).astype(float)})
    frame["kind"] = random.choice(["x", "y", "z"], ROWS)
    return frame


def register(model: str, log: Callable[..., Any], native: Any, inputs: pd.DataFrame, outputs: Any, **more: Any) -> int:
    """Log a model and register it; its version."""
    import mlflow
    from mlflow.models import infer_signature

    store = mlflow_store.client()
    with mlflow.start_run(experiment_id=mlflow_store.open_experiment(model)):
        signature = infer_signature(inputs, outputs, **more.pop("signed", {}))
        # Else MLflow loads each model in a process of its own to see what it imports.
        logged = log(native, name="model", signature=signature, pip_requirements=["mlflow"], **more)
    if not store.search_registered_models(f"name = '{model}'"):
        store.create_registered_model(model)
    return int(store.create_model_version(model, logged.model_uri).version)


def regressor(model: str, factor: float) -> int:
    """A version that gives `factor` times `a`."""
    import mlflow
    from sklearn.linear_model import LinearRegression

    frame = rows_of()[["a", "b"]]
    native = LinearRegression().fit(frame, factor * frame.a)
    return register(
        model, mlflow.sklearn.log_model, native, frame, native.predict(frame), serialization_format="cloudpickle"
    )


@pytest.fixture(scope="module")
def frame(spark: SparkSession) -> pd.DataFrame:
    rows = rows_of(1).assign(id=np.arange(ROWS))
    spark.createDataFrame(rows).write.format("delta").mode("overwrite").saveAsTable("default.to_score")
    return rows


def declared(spark: SparkSession, model: str, *functions: dict[str, Any]) -> None:
    sync(spark, functions, model=model, declared_by=f"model.tests.{model}", where=f"models/{model}.yml")


def scored(spark: SparkSession, call: str) -> list[Any]:
    table = run(spark, f"SELECT {call} AS s FROM default.to_score ORDER BY id")
    return table["s"].to_pylist()


def test_a_classifier_of_three_classes(spark: SparkSession, frame: pd.DataFrame) -> None:
    import lightgbm
    import mlflow

    inputs = frame[["a", "b"]]
    native = lightgbm.LGBMClassifier(n_estimators=5, num_leaves=4, verbose=-1, n_jobs=1).fit(inputs, frame.kind)
    register("kinds", mlflow.lightgbm.log_model, native, inputs, native.predict(inputs))
    promote(spark, "kinds", 1, expected=None, reason="first")
    declared(spark, "kinds", {"name": "kinds_all", "returns": ["label", "probabilities", "top", "version"], "top": 2})
    assert scored(spark, "predict('kinds', a, b)") == native.predict(inputs).tolist()
    chances = native.predict_proba(inputs)
    for row, expected in zip(scored(spark, "ml.kinds_all(b => b, a => a)"), chances, strict=True):
        assert dict(row["probabilities"]) == pytest.approx(dict(zip("xyz", expected, strict=True)), abs=1e-12)
        assert [each["label"] for each in row["top"]] == [
            list("xyz")[i] for i in np.argsort(-expected, kind="stable")[:2]
        ]
        assert row["version"] == 1


def test_a_text_model_gives_vectors_that_spark_computes_with(spark: SparkSession, frame: pd.DataFrame) -> None:
    import mlflow

    class Letters(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
        def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> Any:
            scale = (params or {}).get("scale", 1.0)
            return [[scale * text.count(letter) for letter in "xyz"] for text in model_input["kind"]]

    def log(native: Any, **more: Any) -> Any:
        return mlflow.pyfunc.log_model(python_model=native, **more)

    vectors = np.zeros((2, 3), dtype="float32")
    register("letters", log, Letters(), frame[["kind"]], vectors, signed={"params": {"scale": 1.0}})
    promote(spark, "letters", 1, expected=None, reason="first")
    assert scored(spark, "ml.letters(kind)")[0] == [float(frame.kind[0] == letter) for letter in "xyz"]
    norms = scored(spark, "vector_norm(ml.letters(kind, scale => 2), CAST(2 AS FLOAT))")
    assert norms == pytest.approx([2.0] * ROWS)


def test_equal_calls_run_once_and_have_a_short_name(spark: SparkSession, frame: pd.DataFrame) -> None:
    call = "predict('kinds_all', a, b)"
    asked = spark.sql(f"SELECT {call}.label, {call}.version, {call} FROM default.to_score")
    assert asked.columns == ["ml.kinds_all(a, b).label", "ml.kinds_all(a, b).version", "ml.kinds_all(a, b)"]
    assert str(asked._jdf.queryExecution().executedPlan()).count("ArrowEvalPython [scored(a#") == 1
    [evaluated] = re.findall(r"ArrowEvalPython \[(.*?)\], \[", str(asked._jdf.queryExecution().executedPlan()))
    assert evaluated.count("scored(") == 1


def test_a_statement_reads_the_tables_once(
    spark: SparkSession, frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a champion that moves while it is analysed does not score some of its calls."""
    read: list[str] = []
    current = ModelTables._current
    monkeypatch.setattr(
        ModelTables, "_current", lambda self, table, how: read.append(table) or current(self, table, how)
    )
    call = "ml.kinds(a, b)"
    spark.sql(f"CREATE OR REPLACE VIEW default.with_kinds AS SELECT *, {call} AS kind_of FROM default.to_score")
    read.clear()
    asked = (
        f"SELECT {call}, predict('kinds', a, b), (SELECT max({call}) FROM default.with_kinds) FROM default.with_kinds"
    )
    spark.sql(asked)
    assert read == [FUNCTIONS, ALIASES]
    spark.sql(f"SELECT {call} FROM default.to_score")
    assert read == [FUNCTIONS, ALIASES] * 2


def test_an_average_from_aggregates_is_that_of_the_scores(spark: SparkSession, frame: pd.DataFrame) -> None:
    import mlflow
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    columns = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["kind"]), remainder="passthrough")
    inputs = frame[["a", "b", "kind"]]
    native = make_pipeline(columns, Ridge()).fit(inputs, frame.a - (frame.kind == "x"))
    log = mlflow.sklearn.log_model
    register("mean", log, native, inputs, native.predict(inputs), serialization_format="cloudpickle")
    promote(spark, "mean", 1, expected=None, reason="first")
    expected = pd.Series(native.predict(inputs)).groupby(frame.b).mean().tolist()
    declared(spark, "mean", {"name": "mean_whole", "on_null": "skip"})
    for call, is_scored in (
        ("predict_avg('mean', t.*)", False),
        ("predict_avg('mean', a, b, kind)", False),
        ("avg(predict('mean', t.*))", True),
        ("predict_avg('mean_whole', t.*)", True),
    ):
        asked = spark.sql(f"SELECT {call} AS p FROM default.to_score AS t GROUP BY b ORDER BY b")
        assert [row.p for row in asked.collect()] == pytest.approx(expected, rel=1e-9)
        assert ("ml.mean" in asked._jdf.queryExecution().analyzed().toString()) is is_scored
    for call in ("predict_avg('mean', NULL, b, kind)", "avg(predict('mean', NULL, b, kind))"):
        with pytest.raises(PenstockError, match="mean cannot score a row: the model gave NaN"):
            run(spark, f"SELECT {call} FROM default.to_score")


def test_open_sessions_meet_the_new_champion_even_where_it_is_of_another_shape(
    spark: SparkSession, frame: pd.DataFrame
) -> None:
    import mlflow
    from sklearn.linear_model import LinearRegression

    one, two = regressor("shape", 2.0), regressor("shape", 3.0)
    inputs = frame[["a"]]
    narrow = LinearRegression().fit(inputs, 5 * inputs.a)
    three = register(
        "shape", mlflow.sklearn.log_model, narrow, inputs, narrow.predict(inputs), serialization_format="cloudpickle"
    )
    promote(spark, "shape", one, expected=None, reason="first")
    analyst = spark.newSession()
    call = "ml.shape(a, b)"
    assert scored(analyst, call) == pytest.approx((2 * frame.a).tolist())
    promote(spark, "shape", two, expected=one, reason="better")
    assert scored(analyst, call) == pytest.approx((3 * frame.a).tolist())
    promote(spark, "shape", three, expected=two, reason="narrower")
    assert scored(analyst, call) == pytest.approx((5 * frame.a).tolist()), "the old façade, the new body"
    with pytest.raises(PenstockError, match="WRONG_NUM_ARGS"):
        scored(spark, call)
    promote(spark, "shape", one, expected=three, reason="back")
    assert scored(analyst, call) == pytest.approx((2 * frame.a).tolist())


def test_an_open_session_is_told_of_an_input_that_it_cannot_know(spark: SparkSession, frame: pd.DataFrame) -> None:
    """Else the new version would score NULL in its place."""
    import mlflow
    from sklearn.linear_model import LinearRegression

    narrow = LinearRegression().fit(frame[["a"]], frame.a)
    wide = LinearRegression().fit(frame.rename(columns={"a": "A"})[["A", "b"]], 2 * frame.a)
    for native, inputs in ((narrow, frame[["a"]]), (wide, frame.rename(columns={"a": "A"})[["A", "b"]])):
        log = mlflow.sklearn.log_model
        register("widened", log, native, inputs, native.predict(inputs), serialization_format="cloudpickle")
    promote(spark, "widened", 1, expected=None, reason="first")
    analyst = spark.newSession()
    assert scored(analyst, "ml.widened(a)") == pytest.approx(frame.a.tolist())
    promote(spark, "widened", 2, expected=1, reason="wider")
    with pytest.raises(PenstockError, match=r"ml\.widened takes b since this session called it first"):
        scored(analyst, "ml.widened(a)")
    assert scored(analyst, "predict('widened', *)") == pytest.approx((2 * frame.a).tolist()), "its name in another case"
    promote(spark, "widened", 1, expected=2, reason="back")
    assert scored(analyst, "ml.widened(a + 1)") == pytest.approx((frame.a + 1).tolist())


def test_a_pinned_version_an_earlier_time_and_the_history(spark: SparkSession, frame: pd.DataFrame) -> None:
    one, two = regressor("pinned", 2.0), regressor("pinned", 3.0)
    promote(spark, "pinned", one, expected=None, reason="first")
    then = dt.datetime.now(dt.UTC)
    promote(spark, "pinned", two, expected=one, reason="better")
    declared(
        spark,
        "pinned",
        {"name": "pinned_first", "version": one},
        {"name": "pinned_then", "as_of": then.replace(tzinfo=None).isoformat(" ")},
    )
    for name, factor in (("pinned", 3), ("pinned_first", 2), ("pinned_then", 2)):
        assert scored(spark, f"predict('{name}', a, b)") == pytest.approx((factor * frame.a).tolist())
    at = f"SELECT version FROM ml.model_aliases TIMESTAMP AS OF '{then:%Y-%m-%d %H:%M:%S.%f}' WHERE model = 'pinned'"
    assert [row.version for row in spark.sql(at).collect()] == [one]
    declared(spark, "pinned", {"name": "pinned_first", "version": one})
    with pytest.raises(PenstockError, match="unknown model 'pinned_then'"):
        scored(spark, "predict('pinned_then', a, b)")


def test_a_canary_can_be_replayed_and_a_shadow_scores_beside(spark: SparkSession, frame: pd.DataFrame) -> None:
    one, two = regressor("split", 2.0), regressor("split", 3.0)
    promote(spark, "split", one, expected=None, reason="first")
    promote(spark, "split", two, expected=None, reason="tried", alias="challenger")
    declared(
        spark,
        "split",
        {
            "name": "split_canary",
            "canary": {"alias": "challenger", "share": 0.3, "key": "a"},
            "returns": ["prediction", "variant"],
        },
        {"name": "split_both", "shadow": "challenger", "returns": ["prediction", "shadow"]},
    )
    arm = [h < 3000 for h in scored(spark, "pmod(xxhash64(a), 10000)")]
    assert 0.15 < np.mean(arm) < 0.45
    for a, other, row in zip(frame.a, arm, scored(spark, "ml.split_canary(a, b)"), strict=True):
        assert row["variant"] == ("challenger" if other else "champion")
        assert row["prediction"] == pytest.approx((3 if other else 2) * a, abs=1e-9)
    for a, row in zip(frame.a, scored(spark, "ml.split_both(a, b)"), strict=True):
        assert (row["prediction"], row["shadow"]) == pytest.approx((2 * a, 3 * a), abs=1e-9)


def test_contributions_are_the_librarys_own_and_sum_to_its_margin(spark: SparkSession, frame: pd.DataFrame) -> None:
    import lightgbm
    import mlflow

    inputs = frame[["a", "b"]]
    native = lightgbm.LGBMRegressor(n_estimators=8, num_leaves=5, verbose=-1, n_jobs=1).fit(inputs, frame.a * frame.b)
    register("explained", mlflow.lightgbm.log_model, native, inputs, native.predict(inputs))
    promote(spark, "explained", 1, expected=None, reason="first")
    declared(spark, "explained", {"name": "why", "returns": ["prediction", "base", "contributions"]})
    own = native.booster_.predict(inputs, pred_contrib=True)
    for row, shap in zip(scored(spark, "ml.why(a, b)"), own, strict=True):
        given = dict(row["contributions"])
        assert [given["a"], given["b"], row["base"]] == pytest.approx(shap.tolist(), abs=1e-9)
        assert row["base"] + sum(given.values()) == pytest.approx(row["prediction"], abs=1e-9)


def sparse(model: str, frame: pd.DataFrame) -> int:
    """A version that gives about 2 times `a`, whatever `b` and `kind` are; it has not seen the kind z."""
    import mlflow
    from sklearn.compose import ColumnTransformer
    from sklearn.linear_model import Lasso
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    inputs = frame[frame.kind != "z"][["b", "kind", "a"]]
    encoded = ColumnTransformer([("k", OneHotEncoder(), ["kind"])], remainder="passthrough")
    native = make_pipeline(encoded, Lasso(0.1)).fit(inputs, 2 * inputs.a)
    log = mlflow.sklearn.log_model
    return register(model, log, native, inputs, native.predict(inputs), serialization_format="cloudpickle")


def test_levels_that_a_version_has_not_seen_have_a_policy(spark: SparkSession, frame: pd.DataFrame) -> None:
    promote(spark, "levels", sparse("levels", frame), expected=None, reason="first")
    declared(
        spark,
        "levels",
        {"name": "levels_told", "on_unknown": "error", "on_error": "skip", "returns": ["prediction", "error"]},
        {"name": "levels_left", "on_unknown": "skip"},
        {"name": "levels_fail", "on_unknown": "error"},
    )
    unknown = (frame.kind == "z").tolist()
    assert 0 < sum(unknown) < ROWS
    told = scored(spark, "ml.levels_told(a => a, b => b, kind => kind)")
    reason = "input 'kind' has a level that the model does not know"
    assert [row["error"] for row in told] == [reason if each else None for each in unknown]
    assert [row["prediction"] is None for row in told] == unknown
    assert [each is None for each in scored(spark, "predict('levels_left', b, kind, a)")] == unknown
    with pytest.raises(PenstockError, match=f"rows of a batch: {reason}"):
        scored(spark, "predict('levels_fail', b, kind, a)")
    with pytest.raises(PenstockError, match=r"on_unknown is .error., and the model says of no input(.|\n)*levels_"):
        promote(spark, "levels", regressor("levels", 2.0), expected=1, reason="knows no levels")
    assert [
        row.version for row in spark.sql("SELECT version FROM ml.model_aliases WHERE model = 'levels'").collect()
    ] == [1]


def test_a_linear_version_reads_what_it_uses_and_explains_itself(spark: SparkSession, frame: pd.DataFrame) -> None:
    promote(spark, "sparse", sparse("sparse", frame), expected=None, reason="first")
    declared(spark, "sparse", {"name": "sparse_why", "returns": ["prediction", "base", "contributions"]})
    [row] = spark.sql("SELECT inputs, used, engine FROM ml.model_aliases WHERE model = 'sparse'").collect()
    assert (row.inputs, row.used, row.engine) == (["b", "kind", "a"], ["a"], "linear")
    for a, why in zip(frame.a, scored(spark, "ml.sparse_why(b, kind, a)"), strict=True):
        given = dict(why["contributions"])
        assert (given["b"], given["kind"]) == (0.0, 0.0)
        assert why["base"] + given["a"] == pytest.approx(why["prediction"], abs=1e-12)
        assert why["prediction"] == pytest.approx(2 * a, abs=0.5)


def test_files_that_changed_since_they_were_registered_do_not_score(spark: SparkSession, frame: pd.DataFrame) -> None:
    import mlflow
    from sklearn.tree import DecisionTreeRegressor

    inputs = frame[["a", "b"]]
    native = DecisionTreeRegressor(max_depth=2).fit(inputs, frame.a)
    log = mlflow.sklearn.log_model
    register("tampered", log, native, inputs, native.predict(inputs), serialization_format="cloudpickle")
    promote(spark, "tampered", 1, expected=None, reason="first")
    [row] = spark.sql("SELECT source FROM ml.model_aliases WHERE model = 'tampered'").collect()
    (Path(urlparse(row.source).path) / "requirements.txt").write_text("other\n")
    with pytest.raises(PenstockError, match=r"version 1 of model 'tampered' does not load: .* their digest differs"):
        scored(spark, "ml.tampered(a, b)")


def test_only_chosen_registries_are_loaded_from(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    version = regressor("foreign", 2.0)
    monkeypatch.setenv("PENSTOCK_REGISTRIES", "https://models.example")
    with pytest.raises(PenstockError, match="models are not loaded from the registry sqlite:"):
        promote(spark, "foreign", version, expected=None, reason="first")


def test_what_cannot_be_declared_of_a_version(spark: SparkSession) -> None:
    promote(spark, "wrong", regressor("wrong", 2.0), expected=None, reason="first")
    for function, message in (
        ({"returns": "probability"}, "of a classifier with probabilities"),
        ({"name": "wrong_k", "canary": {"alias": "c", "share": 0.1, "key": "aa"}}, "unknown input 'aa'"),
        ({"name": "wrong_v", "version": 7}, "model 'wrong' has no version 7"),
        ({"model": "wrongg"}, None),
    ):
        if message:
            with pytest.raises(PenstockError, match=message):
                declared(spark, "wrong", function)
    declared(spark, "wrong")
    assert json.loads(spark.sql("SELECT description FROM ml.model_aliases WHERE model = 'wrong'").first()[0])["inputs"]
