"""ONNX graphs give what ONNX Runtime and the model that they came from give."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import onnxruntime
import pandas as pd
import pyarrow as pa
import pytest
from mlflow.models import ModelSignature, infer_signature
from mlflow.types.schema import Schema, TensorSpec
from onnx import TensorProto, helper
from skl2onnx import convert_sklearn, to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from penstock.errors import InvalidDefinitionError
from penstock.scoring.contract import Field
from penstock.scoring.flavours.load import load

RANDOM = np.random.default_rng(5)
MATRIX = RANDOM.normal(size=(150, 3)).astype("float32")
FRAME = pd.DataFrame(MATRIX, columns=["a", "b", "c"])
TARGET = MATRIX[:, 0] - MATRIX[:, 2]
TABLE = pa.Table.from_pandas(FRAME)

Save = Callable[[Any, Any], str]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Log a graph with a signature."""

    def saved(graph: Any, signature: Any) -> str:
        more = {"signature": signature, "pip_requirements": ["onnxruntime"]}
        mlflow.onnx.save_model(graph, str(tmp_path / "model"), **more)
        return str(tmp_path / "model")

    return saved


def test_a_regressor(save: Save) -> None:
    model = LinearRegression().fit(MATRIX, TARGET)
    source = save(to_onnx(model, MATRIX), infer_signature(FRAME, TARGET))
    loaded = load(source)
    assert loaded.description.fields == (Field("prediction", "DOUBLE"),)
    given = np.asarray(loaded.predict(TABLE, {})["prediction"])
    assert given.dtype == np.float64
    np.testing.assert_array_equal(given, mlflow.pyfunc.load_model(source).predict(FRAME)["variable"])
    np.testing.assert_allclose(given, model.predict(MATRIX), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("maps", [True, False])
@pytest.mark.parametrize("classes", [["early", "late"], [3, 5, 9]])
@pytest.mark.parametrize("make", [LogisticRegression, lambda: RandomForestClassifier(4, random_state=1)])
def test_a_classifier(save: Save, maps: bool, classes: list[Any], make: Callable[[], Any]) -> None:
    labels = np.array(classes)[pd.qcut(TARGET, len(classes), labels=False)]
    model = make().fit(MATRIX, labels)
    graph = to_onnx(model, MATRIX, options={"zipmap": maps})
    loaded = load(save(graph, infer_signature(FRAME, labels)))
    assert loaded.description.fields == (Field("label", "BIGINT" if classes[0] == 3 else "STRING"),)
    assert loaded.description.classes == tuple(str(each) for each in classes)
    given = loaded.predict(TABLE, {})
    assert pa.array(given["label"]).to_pylist() == model.predict(MATRIX).tolist()
    np.testing.assert_allclose(given["probabilities"], model.predict_proba(MATRIX), atol=1e-5)


def test_probabilities_without_the_names_of_classes(save: Save) -> None:
    model = KNeighborsClassifier(3).fit(MATRIX, pd.qcut(TARGET, 3, labels=False))
    graph = to_onnx(model, MATRIX, options={"zipmap": False})
    loaded = load(save(graph, infer_signature(FRAME, TARGET)))
    assert loaded.description.fields == (Field("label", "BIGINT"), Field("probabilities", "ARRAY<FLOAT>"))
    assert loaded.description.classes == ()
    given = loaded.predict(TABLE, {})
    np.testing.assert_array_equal(given["label"], model.predict(MATRIX))
    np.testing.assert_allclose(given["probabilities"], model.predict_proba(MATRIX), atol=1e-5)


def test_an_input_a_column(save: Save) -> None:
    frame = pd.DataFrame({"x": MATRIX[:, 0], "port": RANDOM.choice(["ams", "fra"], 150), "n": np.arange(150)})
    prepare = ColumnTransformer([("port", OneHotEncoder(), ["port"])], remainder="passthrough")
    model = make_pipeline(prepare, LinearRegression()).fit(frame, TARGET)
    # In another order than the signature's.
    types = [
        ("n", FloatTensorType([None, 1])),
        ("port", StringTensorType([None, 1])),
        ("x", FloatTensorType([None, 1])),
    ]
    graph = convert_sklearn(model, initial_types=types)
    loaded = load(save(graph, infer_signature(frame, TARGET)))
    given = loaded.predict(pa.Table.from_pandas(frame), {})["prediction"]
    np.testing.assert_allclose(given, model.predict(frame), rtol=1e-4, atol=1e-4)


def a_graph(output: list[Any], operation: str = "MatMul") -> Any:
    """features [rows, 3] and weights [rows, 3] to their sum `both` and the product of features and a constant."""
    tensor = helper.make_tensor_value_info
    constant = helper.make_tensor("w", TensorProto.FLOAT, (3, 2), [1, 2, 3, 4, 5, 6])
    graph = helper.make_graph(
        [
            helper.make_node(operation, ["features", "w"], ["out"]),
            helper.make_node("Add", ["features", "more"], ["both"]),
        ],
        "g",
        [tensor("features", TensorProto.FLOAT, ["rows", 3]), tensor("more", TensorProto.FLOAT, ["rows", 3])],
        [tensor("out", TensorProto.FLOAT, output), tensor("both", TensorProto.FLOAT, ["rows", 3])],
        [constant],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def test_named_tensors_and_several_outputs(save: Save) -> None:
    specs = [TensorSpec(np.dtype("float32"), (-1, 3), name) for name in ("more", "features")]
    loaded = load(save(a_graph(["rows", 2]), ModelSignature(Schema(specs))))
    assert [(each.name, each.type) for each in loaded.description.inputs] == [
        ("more", "ARRAY<FLOAT>"), ("features", "ARRAY<FLOAT>")
    ]  # fmt: skip
    assert loaded.description.fields == (Field("out", "ARRAY<FLOAT>"), Field("both", "ARRAY<FLOAT>"))
    kind = pa.list_(pa.float32())
    more = MATRIX * 10
    given = loaded.predict(
        pa.table({"more": pa.array(more.tolist(), kind), "features": pa.array(MATRIX.tolist(), kind)}), {}
    )
    weights = np.array([[1, 2], [3, 4], [5, 6]], dtype="float32")
    np.testing.assert_allclose(given["out"], MATRIX @ weights, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(given["both"], MATRIX + more, rtol=1e-5)


def test_a_signature_of_other_inputs(save: Save) -> None:
    specs = [TensorSpec(np.dtype("float32"), (-1, 3), name) for name in ("more", "less")]
    with pytest.raises(InvalidDefinitionError, match="inputs more, less, the graph features, more"):
        load(save(a_graph(["rows", 2]), ModelSignature(Schema(specs))))


def test_one_tensor_without_a_name(save: Save) -> None:
    model = LinearRegression().fit(MATRIX, TARGET)
    loaded = load(save(to_onnx(model, MATRIX), infer_signature(MATRIX, TARGET)))
    table = pa.table({"features": pa.array(MATRIX.tolist(), pa.list_(pa.float32()))})
    np.testing.assert_allclose(loaded.predict(table, {})["prediction"], model.predict(MATRIX), rtol=1e-4, atol=1e-5)


def test_it_runs_on_one_thread(save: Save, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    real = onnxruntime.InferenceSession
    monkeypatch.setattr(onnxruntime, "InferenceSession", lambda *a, **k: made.append(real(*a, **k)) or made[-1])
    load(save(to_onnx(LinearRegression().fit(MATRIX, TARGET), MATRIX), infer_signature(FRAME, TARGET)))
    assert made[0].get_session_options().intra_op_num_threads == 1
