"""LightGBM's and XGBoost's models give what their own methods and MLflow give, and explain their margins."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightgbm
import mlflow
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import xgboost
from mlflow.models import infer_signature
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from penstock.errors import InvalidDefinitionError
from penstock.scoring.contract import Field, Loaded
from penstock.scoring.flavours.load import load
from penstock.scoring.flavours.threads import use_one

RANDOM = np.random.default_rng(11)
ROWS = 300
FRAME = pd.DataFrame(RANDOM.normal(size=(ROWS, 4)), columns=["a", "b", "c", "d"])
FRAME.loc[::7, "b"] = np.nan
TARGET = FRAME["a"] + np.where(FRAME["b"].isna(), 1, FRAME["b"]) * FRAME["c"] + RANDOM.normal(size=ROWS) / 4
FEW = {"n_estimators": 7, "max_depth": 3, "n_jobs": 1}
LIGHT = {**FEW, "verbose": -1, "min_child_samples": 5}

Save = Callable[..., str]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Log a model of LightGBM or XGBoost, with the signature of a frame and of what it gives of that."""

    def saved(model: Any, frame: Any = FRAME, outputs: Any = None, flavour: str = "", **more: Any) -> str:
        given = TARGET if outputs is None else outputs
        more.setdefault("signature", infer_signature(frame, given))
        if isinstance(model, lightgbm.LGBMModel):
            more["serialization_format"] = "cloudpickle"
        kind = flavour or type(model).__module__.partition(".")[0]
        getattr(mlflow, kind).save_model(model, str(tmp_path / "model"), pip_requirements=[kind], **more)
        return str(tmp_path / "model")

    return saved


def table(frame: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(frame, preserve_index=False)


def prediction(loaded: Loaded, frame: pd.DataFrame = FRAME) -> Any:
    return np.asarray(loaded.predict(table(frame), {})["prediction"])


def explained(loaded: Loaded, frame: pd.DataFrame = FRAME) -> tuple[Any, Any]:
    assert loaded.contributions is not None
    base, contributions = loaded.contributions(table(frame))
    assert (base.dtype, contributions.dtype) == (np.float64, np.float64)
    assert (base.shape, contributions.shape) == ((len(frame),), (len(frame), len(loaded.description.inputs)))
    return base, contributions


def margins(loaded: Loaded, frame: pd.DataFrame = FRAME) -> Any:
    base, contributions = explained(loaded, frame)
    return base + contributions.sum(axis=1)


@pytest.mark.parametrize("objective", ["regression", "quantile", "poisson"])
def test_lightgbm_regressors(save: Save, objective: str) -> None:
    model = lightgbm.LGBMRegressor(**LIGHT, objective=objective, alpha=0.8).fit(FRAME, TARGET.abs())
    source = save(model)
    loaded = load(source)
    assert loaded.description.fields == (Field("prediction", "DOUBLE"),)
    np.testing.assert_array_equal(prediction(loaded), mlflow.pyfunc.load_model(source).predict(FRAME))
    np.testing.assert_allclose(margins(loaded), model.predict(FRAME, raw_score=True), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("classes", [["early", "late"], ["x", "y", "z"], [2, 4], [True, False]])
def test_lightgbm_classifiers(save: Save, classes: list[Any]) -> None:
    labels = np.array(classes)[pd.qcut(TARGET, len(classes), labels=False)]
    model = lightgbm.LGBMClassifier(**LIGHT).fit(FRAME, labels)
    loaded = load(save(model, outputs=labels))
    assert loaded.description.classes == tuple(str(each) for each in sorted(classes))
    given = loaded.predict(table(FRAME), {})
    assert pa.array(given["label"]).to_pylist() == model.predict(FRAME).tolist()
    np.testing.assert_array_equal(given["probabilities"], model.predict_proba(FRAME))
    if len(classes) > 2:
        assert loaded.contributions is None
    else:
        np.testing.assert_allclose(margins(loaded), model.predict(FRAME, raw_score=True), rtol=1e-9, atol=1e-12)


def test_lightgbm_logged_as_scikit_learn(save: Save) -> None:
    model = lightgbm.LGBMClassifier(**LIGHT).fit(FRAME, TARGET > 0)
    loaded = load(save(model, outputs=TARGET > 0, flavour="sklearn"))
    np.testing.assert_array_equal(loaded.predict(table(FRAME), {})["label"], model.predict(FRAME))
    np.testing.assert_allclose(margins(loaded), model.predict(FRAME, raw_score=True), rtol=1e-9, atol=1e-12)


def booster(**params: Any) -> lightgbm.Booster:
    data = lightgbm.Dataset(FRAME, TARGET if params["objective"] == "regression" else pd.qcut(TARGET, 3, labels=False))
    return lightgbm.train({"verbose": -1, "min_data_in_leaf": 5, "num_threads": 1, **params}, data, num_boost_round=5)


def test_a_booster_of_lightgbm(save: Save) -> None:
    source = save(booster(objective="regression"))
    np.testing.assert_array_equal(prediction(load(source)), mlflow.pyfunc.load_model(source).predict(FRAME))


def test_a_booster_of_several_numbers_is_a_vector(save: Save) -> None:
    source = save(booster(objective="multiclass", num_class=3), outputs=np.zeros((3, 3)))
    loaded = load(source)
    assert loaded.description.fields == (Field("prediction", "ARRAY<DOUBLE>"),)
    np.testing.assert_array_equal(prediction(loaded), mlflow.pyfunc.load_model(source).predict(FRAME))


@pytest.mark.parametrize(
    "params", [{"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5}, {"linear_tree": True}]
)
def test_lightgbm_explains_no_forests_and_no_linear_trees(save: Save, params: dict[str, Any]) -> None:
    model = booster(objective="regression", **params)
    loaded = load(save(model))
    np.testing.assert_array_equal(prediction(loaded), model.predict(FRAME))
    assert loaded.contributions is None


def categorical() -> pd.DataFrame:
    return FRAME.assign(a=RANDOM.choice(["ams", "fra", "lhr"], ROWS)).rename(columns={"a": "the port"})


def text_signature(frame: pd.DataFrame, outputs: Any = TARGET) -> Any:
    return infer_signature(frame.astype({"the port": object}), outputs)


def test_lightgbm_categories_are_text(save: Save) -> None:
    frame = categorical()
    target = TARGET + (frame["the port"] == "fra") * 3
    model = lightgbm.LGBMRegressor(**LIGHT).fit(frame.astype({"the port": "category"}), target)
    loaded = load(save(model, signature=text_signature(frame)))
    # A batch without a level, with a new one and with a NULL: their numbers are the model's, not the batch's.
    batch = frame[frame["the port"] != "ams"].copy()
    batch.iloc[0, 0], batch.iloc[1, 0] = "new", None
    known = batch.assign(**{"the port": pd.Categorical(batch["the port"], ["ams", "fra", "lhr"])})
    np.testing.assert_array_equal(prediction(loaded, batch), model.predict(known))
    np.testing.assert_allclose(margins(loaded, batch), model.predict(known), rtol=1e-9)


@pytest.mark.parametrize("library", ["lightgbm", "xgboost"])
def test_categories_may_be_whole_numbers(save: Save, library: str) -> None:
    frame = FRAME.assign(a=RANDOM.choice([10, 20, 30], ROWS))
    target = TARGET + (frame["a"] == 20) * 3
    kind = {"lightgbm": lightgbm.LGBMRegressor, "xgboost": xgboost.XGBRegressor}[library]
    model = kind(**(LIGHT if library == "lightgbm" else {**FEW, "enable_categorical": True}))
    model.fit(frame.astype({"a": "category"}), target)
    loaded = load(save(model, signature=infer_signature(frame, TARGET)))
    # Without a level, and with a NULL.
    batch = frame[frame["a"] != 10].astype({"a": "Int64"})
    batch.iloc[0, 0] = pd.NA
    known = frame.loc[batch.index].astype({"a": pd.CategoricalDtype([10, 20, 30])})
    known.iloc[0, 0] = np.nan
    np.testing.assert_array_equal(prediction(loaded, batch), model.predict(known))


def test_xgboost_takes_numbers_of_categories(save: Save) -> None:
    matrix = np.column_stack([RANDOM.integers(0, 3, ROWS), FRAME["c"]])
    target = TARGET + (matrix[:, 0] == 1) * 3
    data = xgboost.DMatrix(matrix, target, feature_types=["c", "q"], enable_categorical=True)
    model = xgboost.train({"nthread": 1}, data, 5)
    frame = pd.DataFrame({"n": matrix[:, 0].astype("int64"), "x": matrix[:, 1]})
    loaded = load(save(model, signature=infer_signature(frame, target)))
    np.testing.assert_array_equal(prediction(loaded, frame[frame["n"] > 0]), model.predict(data)[matrix[:, 0] > 0])


def test_text_that_is_no_category_is_refused(save: Save) -> None:
    model = lightgbm.LGBMRegressor(**LIGHT).fit(FRAME, TARGET)
    with pytest.raises(InvalidDefinitionError, match="takes an input that is no number"):
        load(save(model, signature=text_signature(categorical())))


MODELS: dict[str, Callable[[], Any]] = {
    "lightgbm": lambda: lightgbm.LGBMRegressor(**LIGHT).fit(FRAME, TARGET),
    "xgboost": lambda: xgboost.XGBRegressor(**FEW).fit(FRAME, TARGET),
}


@pytest.mark.parametrize("library", list(MODELS))
def test_features_come_by_name(save: Save, library: str) -> None:
    model = MODELS[library]()
    turned = FRAME[["c", "a", "d", "b"]]
    loaded = load(save(model, signature=infer_signature(turned, TARGET)))
    np.testing.assert_array_equal(prediction(loaded, turned), model.predict(FRAME))
    _, contributions = explained(loaded, turned)
    expected = {
        "lightgbm": lambda: model.predict(FRAME, pred_contrib=True),
        "xgboost": lambda: model.get_booster().predict(xgboost.DMatrix(FRAME), pred_contribs=True),
    }[library]()
    np.testing.assert_array_equal(contributions, expected[:, [2, 0, 3, 1]])


@pytest.mark.parametrize("library", list(MODELS))
def test_another_number_of_features_is_refused(save: Save, library: str) -> None:
    with pytest.raises(InvalidDefinitionError, match="has 3 inputs; the model was trained on 4 features"):
        load(save(MODELS[library](), signature=infer_signature(FRAME[["a", "b", "c"]], TARGET)))


@pytest.mark.parametrize("objective", ["reg:squarederror", "reg:quantileerror", "count:poisson"])
def test_xgboost_regressors(save: Save, objective: str) -> None:
    model = xgboost.XGBRegressor(**FEW, objective=objective, quantile_alpha=0.8).fit(FRAME, TARGET.abs())
    source = save(model)
    loaded = load(source)
    assert loaded.description.fields == (Field("prediction", "DOUBLE"),)
    np.testing.assert_array_equal(prediction(loaded), mlflow.pyfunc.load_model(source).predict(FRAME))
    np.testing.assert_allclose(margins(loaded), model.predict(FRAME, output_margin=True), atol=1e-5)


@pytest.mark.parametrize("count", [2, 3])
def test_xgboost_classifiers(save: Save, count: int) -> None:
    labels = pd.qcut(TARGET, count, labels=False)
    model = xgboost.XGBClassifier(**FEW).fit(FRAME, labels)
    loaded = load(save(model, outputs=labels))
    assert loaded.description.fields == (Field("label", "BIGINT"),)
    assert loaded.description.classes == tuple("012"[:count])
    given = loaded.predict(table(FRAME), {})
    np.testing.assert_array_equal(given["label"], model.predict(FRAME))
    np.testing.assert_array_equal(given["probabilities"], model.predict_proba(FRAME))
    if count > 2:
        assert loaded.contributions is None
    else:
        np.testing.assert_allclose(margins(loaded), model.predict(FRAME, output_margin=True), atol=1e-5)


def test_xgboost_that_stopped_early(save: Save) -> None:
    noise = pd.Series(RANDOM.normal(size=ROWS))
    model = xgboost.XGBRegressor(n_estimators=60, learning_rate=0.9, early_stopping_rounds=3, n_jobs=1)
    model.fit(FRAME, TARGET, eval_set=[(FRAME, noise)], verbose=False)
    assert model.best_iteration + 1 < model.get_booster().num_boosted_rounds()
    loaded = load(save(model))
    np.testing.assert_array_equal(prediction(loaded), model.predict(FRAME))
    np.testing.assert_allclose(margins(loaded), model.predict(FRAME), atol=1e-5)


@pytest.mark.parametrize(
    ("params", "fields"),
    [
        ({"objective": "binary:logistic"}, "DOUBLE"),
        ({"objective": "multi:softmax", "num_class": 3}, "DOUBLE"),
        ({"objective": "multi:softprob", "num_class": 3}, "ARRAY<FLOAT>"),
        ({"booster": "gblinear"}, "DOUBLE"),
    ],
)
def test_a_booster_of_xgboost(save: Save, params: dict[str, Any], fields: str) -> None:
    labels = pd.qcut(TARGET, params.get("num_class", 2), labels=False)
    model = xgboost.train({**params, "nthread": 1}, xgboost.DMatrix(FRAME, labels), num_boost_round=4)
    source = save(model)
    loaded = load(source)
    assert loaded.description.fields == (Field("prediction", fields),)
    np.testing.assert_array_equal(prediction(loaded), mlflow.pyfunc.load_model(source).predict(FRAME))
    if "num_class" not in params:
        expected = model.predict(xgboost.DMatrix(FRAME), output_margin=True)
        np.testing.assert_allclose(margins(loaded), expected, atol=1e-5)


def test_xgboost_of_several_targets(save: Save) -> None:
    targets = pd.DataFrame({"depart": TARGET, "arrive": -TARGET})
    model = xgboost.XGBRegressor(**FEW).fit(FRAME, targets)
    loaded = load(save(model, outputs=targets))
    assert loaded.description.fields == (Field("depart", "DOUBLE"), Field("arrive", "DOUBLE"))
    given = loaded.predict(table(FRAME), {})
    np.testing.assert_array_equal(np.column_stack([given["depart"], given["arrive"]]), model.predict(FRAME))
    assert loaded.contributions is None


def test_xgboost_categories_are_text(save: Save) -> None:
    frame = categorical()
    target = TARGET + (frame["the port"] == "fra") * 3
    model = xgboost.XGBRegressor(**FEW, enable_categorical=True).fit(frame.astype({"the port": "category"}), target)
    expected = model.predict(frame.astype({"the port": "category"}))
    loaded = load(save(model, signature=text_signature(frame)))
    np.testing.assert_array_equal(prediction(loaded, frame), expected)
    # The numbers of the levels are the model's, not the batch's.
    batch = frame["the port"] != "ams"
    np.testing.assert_array_equal(prediction(loaded, frame[batch]), expected[batch])
    np.testing.assert_allclose(margins(loaded, frame[batch]), expected[batch], atol=1e-5)


@pytest.mark.parametrize("library", list(MODELS))
def test_a_model_of_a_matrix(save: Save, library: str) -> None:
    kind = {"lightgbm": lightgbm.LGBMRegressor, "xgboost": xgboost.XGBRegressor}[library]
    matrix = FRAME.to_numpy()
    model = kind(**(LIGHT if library == "lightgbm" else FEW)).fit(matrix, TARGET)
    loaded = load(save(model, matrix))
    given = pa.table({"features": pa.array(matrix.tolist(), pa.list_(pa.float64()))})
    np.testing.assert_array_equal(loaded.predict(given, {})["prediction"], model.predict(matrix))
    assert loaded.contributions is None


def test_one_thread_within_a_pipeline() -> None:
    model = make_pipeline(StandardScaler(), xgboost.XGBRegressor(n_estimators=2, n_jobs=2)).fit(FRAME, TARGET)
    use_one(model)
    told = json.loads(model[-1].get_booster().save_config())
    assert (told["learner"]["generic_param"]["nthread"], model[-1].n_jobs) == ("1", 1)


@pytest.mark.parametrize("library", list(MODELS))
def test_no_rows(save: Save, library: str) -> None:
    loaded = load(save(MODELS[library]()))
    assert len(prediction(loaded, FRAME.head(0))) == 0
    explained(loaded, FRAME.head(0))


@pytest.mark.parametrize("library", list(MODELS))
def test_whole_numbers_and_booleans_with_nulls(save: Save, library: str) -> None:
    some = RANDOM.random(ROWS) < 0.2
    frame = pd.DataFrame({"n": np.where(some, np.nan, RANDOM.integers(0, 9, ROWS)), "x": FRAME["a"], "f": TARGET > 0})
    kind = {"lightgbm": lightgbm.LGBMRegressor, "xgboost": xgboost.XGBRegressor}[library]
    model = kind(**(LIGHT if library == "lightgbm" else FEW)).fit(frame, TARGET)
    loaded = load(save(model, signature=infer_signature(frame.fillna({"n": 0}).astype({"n": "int64"}), TARGET)))
    given = pa.table(
        {"n": pa.array(frame["n"], pa.int64(), from_pandas=True), "x": pa.array(frame["x"]), "f": pa.array(frame["f"])}
    )
    assert given["n"].null_count > 0
    np.testing.assert_array_equal(loaded.predict(given, {})["prediction"], model.predict(frame))
    # A NULL where training had none is missing, not false.
    flags = given.set_column(2, "f", pa.array([None] * ROWS, pa.bool_()))
    as_missing = frame.assign(f=np.nan)
    np.testing.assert_array_equal(loaded.predict(flags, {})["prediction"], model.predict(as_missing))
