"""What is wrong with a model's files, signature or code is told in terms of the model."""

from __future__ import annotations

import shutil
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
import yaml
from mlflow.models import ModelSignature, infer_signature
from mlflow.types.schema import AnyType, Array, ColSpec, Schema, TensorSpec
from skl2onnx import to_onnx
from sklearn.linear_model import LinearRegression

from penstock.errors import InvalidDefinitionError, PenstockError
from penstock.scoring.contract import Description, Input, Loaded
from penstock.scoring.failures import ModelDoesNotLoad, ModelFailed
from penstock.scoring.flavours.load import load

FRAME = pd.DataFrame({"x": [1.0, 2.0, 3.0], "y": [3.0, 1.0, 2.0]})
TABLE = pa.Table.from_pandas(FRAME)
MODEL = LinearRegression().fit(FRAME, FRAME["x"])
SIGNATURE = infer_signature(FRAME, MODEL.predict(FRAME))


@pytest.fixture
def logged(tmp_path: Path) -> Path:
    more = {"signature": SIGNATURE, "pip_requirements": ["scikit-learn"], "serialization_format": "cloudpickle"}
    mlflow.sklearn.save_model(MODEL, str(tmp_path / "model"), **more)
    return tmp_path / "model"


def edit(logged: Path, change: Callable[[dict[str, Any]], Any]) -> str:
    """Change the file MLmodel."""
    told = yaml.safe_load((logged / "MLmodel").read_text())
    change(told)
    (logged / "MLmodel").write_text(yaml.safe_dump(told))
    return str(logged)


def test_a_description_travels_as_json(logged: Path) -> None:
    description = load(str(logged)).description
    assert Description.from_json(description.as_json()) == description


def test_a_file_uri(logged: Path) -> None:
    np.testing.assert_allclose(load(logged.as_uri()).predict(TABLE, {})["prediction"], FRAME["x"], atol=1e-12)


@pytest.mark.parametrize("content", [b"", b"not a model", None])
def test_a_damaged_or_missing_file(logged: Path, content: bytes | None) -> None:
    (logged / "model.pkl").unlink()
    if content is not None:
        (logged / "model.pkl").write_bytes(content)
    with pytest.raises(ModelDoesNotLoad, match="the model does not load") as caught:
        load(str(logged))
    assert caught.value.where == str(logged)
    assert "register it anew" in caught.value.fix


def test_a_cut_file(logged: Path) -> None:
    (logged / "model.pkl").write_bytes((logged / "model.pkl").read_bytes()[:-40])
    with pytest.raises(ModelDoesNotLoad):
        load(str(logged))


@pytest.mark.parametrize("what", ["folder", "MLmodel", "words"])
def test_no_logged_model(logged: Path, what: str) -> None:
    if what == "folder":
        shutil.rmtree(logged)
    elif what == "MLmodel":
        (logged / "MLmodel").unlink()
    else:
        (logged / "MLmodel").write_text("- no\n- mapping\n")
    with pytest.raises(ModelDoesNotLoad):
        load(str(logged))


@pytest.mark.parametrize("flavour", ["lightgbm", "xgboost", "onnx"])
def test_damaged_files_of_other_libraries(tmp_path: Path, flavour: str) -> None:
    data = lightgbm.Dataset(FRAME, FRAME["x"])
    model = {
        "lightgbm": lambda: lightgbm.train({"verbose": -1, "num_threads": 1}, data, 2),
        "xgboost": lambda: xgboost.XGBRegressor(n_estimators=2, n_jobs=1).fit(FRAME, FRAME["x"]),
        "onnx": lambda: to_onnx(MODEL, FRAME.to_numpy().astype("float32")),
    }[flavour]()
    folder = tmp_path / "model"
    getattr(mlflow, flavour).save_model(model, str(folder), signature=SIGNATURE, pip_requirements=[flavour])
    (file,) = [each for each in folder.iterdir() if each.name.startswith("model.")]
    load(str(folder))
    file.write_bytes(file.read_bytes()[:30])
    with pytest.raises(ModelDoesNotLoad):
        load(str(folder))


def test_a_library_that_is_not_installed(logged: Path) -> None:
    source = edit(logged, lambda told: told.update(flavors={"python_function": {"loader_module": "no_such_library"}}))
    with pytest.raises(ModelDoesNotLoad, match=r"needs the module no_such_library(.|\n)*fix: install no_such_library"):
        load(source)


def test_no_signature(logged: Path) -> None:
    with pytest.raises(
        InvalidDefinitionError, match=r"without a signature of its inputs(.|\n)*infer_signature\("
    ) as caught:
        load(edit(logged, lambda told: told.pop("signature")))
    assert caught.value.where == str(logged)


@pytest.mark.parametrize(
    ("flavours", "message"),
    [
        (["mleap"], "the flavours mleap, and none that can be scored"),
        ([], "the flavours none, and none"),
    ],
)
def test_flavours_that_can_not_be_scored(logged: Path, flavours: list[str], message: str) -> None:
    source = edit(logged, lambda told: told.update(flavors={name: {} for name in flavours}))
    with pytest.raises(InvalidDefinitionError, match=message):
        load(source)


def test_a_spark_ml_pipeline_in_a_process_without_a_session(logged: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pyspark import SparkContext

    monkeypatch.setattr(SparkContext, "_active_spark_context", None)
    source = edit(logged, lambda told: told.update(flavors={"spark": {}, "python_function": {}}))
    with pytest.raises(InvalidDefinitionError, match="scored in the plan of a query, and this process has no Spark"):
        load(source)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (Schema([ColSpec(AnyType(), "x"), ColSpec("double", "y")]), "type Any, which SQL has not(.|\n)*input x"),
        (Schema([TensorSpec(np.dtype("complex64"), (-1, 2))]), "type complex64, which SQL has not"),
        (Schema([TensorSpec(np.dtype("float32"), (4, 2))]), r"shape \(4, 2\) is not one of any number of rows"),
        (Schema([TensorSpec(np.dtype("float32"), (-1, -1))]), r"shape \(-1, -1\) is not one"),
    ],
)
def test_signatures_that_sql_can_not_hold(tmp_path: Path, inputs: Schema, message: str) -> None:
    more = {"signature": ModelSignature(inputs, Schema([ColSpec("double")])), "pip_requirements": ["scikit-learn"]}
    mlflow.sklearn.save_model(MODEL, str(tmp_path / "m"), serialization_format="cloudpickle", **more)
    with pytest.raises(InvalidDefinitionError, match=message):
        load(str(tmp_path / "m"))


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("boolean", "BOOLEAN"), ("integer", "INT"), ("long", "BIGINT"), ("float", "FLOAT"), ("double", "DOUBLE"),
        ("string", "STRING"), ("binary", "BINARY"), ("datetime", "TIMESTAMP"), (Array("long"), "ARRAY<BIGINT>"),
        (Array(Array("string")), "ARRAY<ARRAY<STRING>>"),
    ],
)  # fmt: skip
def test_types_of_inputs(tmp_path: Path, kind: Any, expected: str) -> None:
    inputs = Schema([ColSpec(kind, "Given Name", required=False)])
    assert of_function(tmp_path, lambda frame: [1.0], inputs=inputs).description.inputs == (
        Input("Given Name", expected, required=False),
    )


class Own(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.function = function

    def predict(self, context, model_input):  # type: ignore[no-untyped-def]  # MLflow reads hints
        return self.function(model_input)


def of_function(folder: Path, function: Callable[[Any], Any], kind: Any = "double", inputs: Any = None) -> Loaded:
    outputs = kind if isinstance(kind, Schema) else Schema([ColSpec(kind)])
    signature = ModelSignature(inputs or SIGNATURE.inputs, outputs)
    mlflow.pyfunc.save_model(
        str(folder / "own"), python_model=Own(function), signature=signature, pip_requirements=["mlflow"]
    )
    return load(str(folder / "own"))


def stumble(_: Any) -> Any:
    raise KeyError("wind")


@pytest.mark.parametrize(
    ("function", "kind", "message"),
    [
        (stumble, "double", "the model failed: KeyError: 'wind'"),
        (lambda frame: frame["x"][:2], "double", "gives 2 values of prediction for 3 rows"),
        (lambda frame: [], "double", "gives 0 values of prediction for 3 rows"),
        (lambda frame: 5.0, "double", "gives 1 values of prediction for 3 rows"),
        (lambda frame: [*frame["x"], 4.0], "string", "gives 4 values of prediction for 3 rows"),
        (lambda frame: ["1", "2", "3"], "double", "gives a list of str for prediction, which is DOUBLE"),
        (lambda frame: frame["x"].astype(str), "double", "array of object for prediction, which is DOUBLE"),
        (lambda frame: [1, 2, 3], "string", "gives a list of int for prediction, which is STRING"),
        (lambda frame: frame["x"] + 0.5, "long", "array of float64 for prediction, which is BIGINT: .*truncated"),
        (lambda frame: [2**40] * 3, "integer", "gives a list of int for prediction, which is INT"),
        (lambda frame: [1, 0, 1], "boolean", "gives a list of int for prediction, which is BOOLEAN"),
        (lambda frame: ["a"] * 3, "binary", "which is BINARY"),
        (lambda frame: [1, 2, 3], "datetime", "which is TIMESTAMP"),
        (lambda frame: frame, "double", r"array of float64 of shape \(3, 2\) for prediction, which is DOUBLE"),
        (lambda frame: [["a"]] * 3, Array("double"), "which is ARRAY<DOUBLE>"),
        (lambda frame: frame["x"], Array("double"), "which is ARRAY<DOUBLE>"),
        (
            lambda frame: frame.assign(z=1),
            Schema([ColSpec("double", "a"), ColSpec("double", "b")]),
            "gives the outputs x, y, z; a, b are expected",
        ),
        (
            lambda frame: frame,
            Schema([ColSpec("double", "y"), ColSpec("double", "b")]),
            "outputs x, y; y, b are expected",
        ),
        (
            lambda frame: frame["x"],
            Schema([ColSpec("double", "a"), ColSpec("double", "b")]),
            "gives the outputs 0; a, b are expected",
        ),
    ],
)
def test_what_a_model_may_not_give(tmp_path: Path, function: Any, kind: Any, message: str) -> None:
    loaded = of_function(tmp_path, function, kind)
    with pytest.raises(ModelFailed, match=message) as caught:
        loaded.predict(TABLE, {})
    assert caught.value.where == str(tmp_path / "own")
    assert caught.value.fix
    assert isinstance(caught.value, PenstockError)


def test_a_nan_is_passed_on(tmp_path: Path) -> None:
    given = of_function(tmp_path, lambda frame: [np.nan, None, np.inf]).predict(TABLE, {})["prediction"]
    np.testing.assert_array_equal(given, [np.nan, np.nan, np.inf])


def test_a_model_that_says_much_is_cut_short(tmp_path: Path) -> None:
    def shout(frame: Any) -> Any:
        raise ValueError("row " * 1000)

    with pytest.raises(ModelFailed) as caught:
        of_function(tmp_path, shout).predict(TABLE, {})
    assert len(caught.value.what) < 400


def test_a_null_that_a_tensor_of_whole_numbers_can_not_hold(tmp_path: Path) -> None:
    inputs = Schema([TensorSpec(np.dtype("int64"), (-1, 2))])
    loaded = of_function(tmp_path, lambda array: array.sum(axis=1).astype(float), inputs=inputs)
    table = pa.table({"features": pa.array([[1, None]], pa.list_(pa.int64()))})
    with pytest.raises(ModelFailed, match="input 'features' holds a NULL, which the model's tensor of int64 can not"):
        loaded.predict(table, {})
