"""scikit-learn's models give what their own methods give, and what MLflow gives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from mlflow.models import infer_signature
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor, StackingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC

from penstock.errors import InvalidDefinitionError
from penstock.scoring.contract import Field
from penstock.scoring.flavours.load import load
from penstock.scoring.flavours.sklearn import label_type

RANDOM = np.random.default_rng(7)
ROWS = 200
NUMBERS = pd.DataFrame(RANDOM.normal(size=(ROWS, 3)), columns=["a", "b", "c"])
TARGET = NUMBERS["a"] - 2 * NUMBERS["b"] + RANDOM.normal(size=ROWS)

Save = Callable[..., str]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Log an estimator, with the signature of a frame and of what the estimator gives of it."""

    def saved(model: Any, frame: Any = NUMBERS, outputs: Any = None, **more: Any) -> str:
        given = model.predict(frame) if outputs is None else outputs
        more.setdefault("signature", infer_signature(frame, given))
        more.setdefault("pip_requirements", ["scikit-learn"])  # MLflow would find them out in a process of its own
        mlflow.sklearn.save_model(model, str(tmp_path / "model"), serialization_format="cloudpickle", **more)
        return str(tmp_path / "model")

    return saved


def same(given: Any, expected: Any) -> None:
    """Equal but for the order in which sums over columns or rows of memory are made."""
    np.testing.assert_allclose(np.asarray(given), np.asarray(expected), rtol=1e-10, atol=1e-14)


def table(frame: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(frame, preserve_index=False)


def test_a_regressor(save: Save) -> None:
    source = save(LinearRegression().fit(NUMBERS, TARGET))
    loaded = load(source)
    assert [(each.name, each.type, each.required) for each in loaded.description.inputs] == [
        (name, "DOUBLE", True) for name in "abc"
    ]
    assert loaded.description.fields == (Field("prediction", "DOUBLE"),)
    assert loaded.description.classes == ()
    assert loaded.contributions is None
    assert loaded.size > 0
    given = loaded.predict(table(NUMBERS), {})
    assert set(given) == {"prediction"}
    same(given["prediction"], mlflow.pyfunc.load_model(source).predict(NUMBERS))


def test_a_regressor_of_whole_numbers_keeps_its_fractions(save: Save) -> None:
    counts = TARGET.round().astype("int64")
    model = LinearRegression().fit(NUMBERS, counts)
    loaded = load(save(model, outputs=counts))
    assert loaded.description.fields == (Field("prediction", "DOUBLE"),)
    same(loaded.predict(table(NUMBERS), {})["prediction"], model.predict(NUMBERS))


def test_columns_come_by_name_in_the_order_of_training(save: Save) -> None:
    model = LinearRegression().fit(NUMBERS, TARGET)
    turned = NUMBERS[["c", "a", "b"]]
    loaded = load(save(model, signature=infer_signature(turned, model.predict(NUMBERS))))
    assert [each.name for each in loaded.description.inputs] == ["c", "a", "b"]
    same(loaded.predict(table(turned), {})["prediction"], model.predict(NUMBERS))


@pytest.mark.filterwarnings("error")
def test_an_estimator_fitted_on_an_array(save: Save) -> None:
    model = LinearRegression().fit(NUMBERS.to_numpy(), TARGET)
    matrix = load(save(model, NUMBERS.to_numpy()))
    assert [(each.name, each.type, each.comment) for each in matrix.description.inputs] == [
        ("features", "ARRAY<DOUBLE>", "3 values")
    ]
    given = pa.table({"features": pa.array(NUMBERS.to_numpy().tolist(), pa.list_(pa.float64()))})
    same(matrix.predict(given, {})["prediction"], model.predict(NUMBERS.to_numpy()))


@pytest.mark.filterwarnings("error:X has feature names")
def test_an_estimator_fitted_on_an_array_and_logged_with_columns(save: Save) -> None:
    model = LinearRegression().fit(NUMBERS.to_numpy(), TARGET)
    loaded = load(save(model, outputs=model.predict(NUMBERS.to_numpy())))
    same(loaded.predict(table(NUMBERS), {})["prediction"], model.predict(NUMBERS.to_numpy()))


@pytest.mark.parametrize(
    ("classes", "kind"),
    [
        (["early", "late"], "STRING"),
        (["a", "b", "c"], "STRING"),
        ([3, 5, 9], "BIGINT"),
        ([False, True], "BOOLEAN"),
    ],
)
@pytest.mark.parametrize("make", [LogisticRegression, lambda: RandomForestClassifier(n_estimators=5, random_state=1)])
def test_a_classifier(save: Save, classes: list[Any], kind: str, make: Callable[[], Any]) -> None:
    labels = np.array(classes)[pd.qcut(TARGET, len(classes), labels=False)]
    model = make().fit(NUMBERS, labels)
    loaded = load(save(model))
    assert loaded.description.fields == (Field("label", kind),)
    assert loaded.description.classes == tuple(str(each) for each in classes)
    given = loaded.predict(table(NUMBERS), {})
    assert list(pa.array(given["label"]).to_pylist()) == model.predict(NUMBERS).tolist()
    same(given["probabilities"], model.predict_proba(NUMBERS))


@pytest.mark.parametrize(
    ("classes", "kind"),
    [([1, 2], "BIGINT"), ([False, True], "BOOLEAN"), (["a", "b"], "STRING"), (["a", None], "STRING")],
)
def test_classes_in_an_array_of_objects(classes: list[Any], kind: str) -> None:
    assert label_type(np.array(classes, dtype=object)) == kind


def test_whole_classes_that_are_floats(save: Save) -> None:
    model = LogisticRegression().fit(NUMBERS, (TARGET > 0).astype("float64"))
    loaded = load(save(model))
    assert loaded.description.fields == (Field("label", "DOUBLE"),)
    assert loaded.description.classes == ("0.0", "1.0")
    same(loaded.predict(table(NUMBERS), {})["label"], model.predict(NUMBERS))


def test_a_classifier_without_probabilities(save: Save) -> None:
    model = LinearSVC().fit(NUMBERS, np.where(TARGET > 0, "late", "early"))
    loaded = load(save(model))
    assert loaded.description.fields == (Field("label", "STRING"),)
    assert loaded.description.classes == ()
    assert loaded.predict(table(NUMBERS), {})["label"].to_pylist() == model.predict(NUMBERS).tolist()


def mixed() -> pd.DataFrame:
    """All kinds of columns, each with values missing where its type lets them be."""
    some = RANDOM.random(ROWS) < 0.2
    return pd.DataFrame(
        {
            "whole": np.where(some, np.nan, RANDOM.integers(0, 9, ROWS)),
            "exact": RANDOM.integers(0, 9, ROWS),
            "single": RANDOM.normal(size=ROWS).astype("float32"),
            "text": np.where(some, None, RANDOM.choice(["x", "y"], ROWS)),
            "flag": RANDOM.random(ROWS) < 0.5,
        }
    )


def test_a_pipeline_with_values_missing(save: Save) -> None:
    frame = mixed()
    prepare = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), ["whole", "exact", "single"]),
            ("text", OneHotEncoder(handle_unknown="ignore"), ["text"]),
            ("flag", "passthrough", ["flag"]),
        ]
    )
    model = Pipeline([("prepare", prepare), ("model", LogisticRegression())]).fit(frame, TARGET > 0)
    source = save(model, frame)
    loaded = load(source)
    assert [(each.name, each.type, each.required) for each in loaded.description.inputs] == [
        ("whole", "DOUBLE", False), ("exact", "BIGINT", True), ("single", "FLOAT", True), ("text", "STRING", False),
        ("flag", "BOOLEAN", True),
    ]  # fmt: skip
    assert table(frame)["whole"].null_count > 0  # NULLs, not NaN
    given = loaded.predict(table(frame), {})
    same(given["probabilities"], model.predict_proba(frame))
    same(given["label"], mlflow.pyfunc.load_model(source).predict(frame))


def test_outputs_by_name(save: Save) -> None:
    targets = pd.DataFrame({"depart": TARGET, "arrive": TARGET * 2 + NUMBERS["c"]})
    model = MultiOutputRegressor(LinearRegression()).fit(NUMBERS, targets)
    loaded = load(save(model, outputs=targets))
    assert loaded.description.fields == (Field("depart", "DOUBLE"), Field("arrive", "DOUBLE"))
    given = loaded.predict(table(NUMBERS), {})
    same(np.column_stack([given["depart"], given["arrive"]]), model.predict(NUMBERS))


def test_outputs_without_names_are_a_vector(save: Save) -> None:
    model = LinearRegression().fit(NUMBERS, np.column_stack([TARGET, -TARGET]))
    loaded = load(save(model))
    assert loaded.description.fields == (Field("prediction", "ARRAY<DOUBLE>"),)
    same(loaded.predict(table(NUMBERS), {})["prediction"], model.predict(NUMBERS))


def test_a_classifier_of_several_outputs(save: Save) -> None:
    targets = pd.DataFrame({"late": np.where(TARGET > 0, "yes", "no"), "far": NUMBERS["a"] > 0})
    model = RandomForestClassifier(n_estimators=5, random_state=1).fit(NUMBERS, targets.to_numpy().astype(str))
    loaded = load(save(model, outputs=targets.astype(str)))
    assert loaded.description.fields == (Field("late", "STRING"), Field("far", "STRING"))
    assert loaded.description.classes == ()
    given = loaded.predict(table(NUMBERS), {})
    assert given["far"].to_pylist() == model.predict(NUMBERS)[:, 1].tolist()


def test_clusters_are_labels(save: Save) -> None:
    model = KMeans(3, n_init=1, random_state=1).fit(NUMBERS)
    loaded = load(save(model))
    assert loaded.description.fields == (Field("label", "BIGINT"),)
    same(loaded.predict(table(NUMBERS), {})["label"], model.predict(NUMBERS))


def test_a_transformer_gives_a_vector(save: Save) -> None:
    model = StandardScaler().fit(NUMBERS)
    loaded = load(save(model, outputs=model.transform(NUMBERS), pyfunc_predict_fn="transform"))
    assert loaded.description.fields == (Field("prediction", "ARRAY<DOUBLE>"),)
    same(loaded.predict(table(NUMBERS), {})["prediction"], model.transform(NUMBERS))


def test_one_thread_wherever_an_estimator_lies(save: Save, monkeypatch: pytest.MonkeyPatch) -> None:
    forest = RandomForestRegressor(n_estimators=2, n_jobs=4)
    model = make_pipeline(StandardScaler(), StackingRegressor([("forest", forest)], LinearRegression(n_jobs=3), cv=2))
    source = save(model.fit(NUMBERS, TARGET))
    opened: list[Any] = []
    real = mlflow.sklearn.load_model
    monkeypatch.setattr(mlflow.sklearn, "load_model", lambda path: opened.append(real(path)) or opened[-1])
    loaded = load(source)
    stack = opened[0][-1]
    assert {stack.estimators_[0].n_jobs, stack.final_estimator_.n_jobs, stack.estimators[0][1].n_jobs} == {1}
    same(loaded.predict(table(NUMBERS), {})["prediction"], model.predict(NUMBERS))


def test_words_of_inputs_come_with_the_files(save: Save) -> None:
    words = {"penstock": {"description": "A delay.", "comments": {"b": "The wind's speed, m/s."}}}
    loaded = load(save(LinearRegression().fit(NUMBERS, TARGET), metadata=words))
    assert [each.comment for each in loaded.description.inputs] == ["", "The wind's speed, m/s.", ""]


def test_no_rows(save: Save) -> None:
    loaded = load(save(LogisticRegression().fit(NUMBERS, TARGET > 0)))
    given = loaded.predict(table(NUMBERS.head(0)), {})
    assert (len(given["label"]), given["probabilities"].shape) == (0, (0, 2))


def test_several_outputs_need_names(save: Save) -> None:
    model = RandomForestClassifier(n_estimators=2).fit(NUMBERS, np.column_stack([TARGET > 0, TARGET > 1]))
    with pytest.raises(InvalidDefinitionError, match="has 2 outputs, and its signature names 1"):
        load(save(model))
