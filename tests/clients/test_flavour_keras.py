"""Keras's and TensorFlow's models, scored: one output and several. `make check-clients` runs it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pyarrow as pa
import pytest
from mlflow.models import infer_signature
from mlflow.types.schema import Schema, TensorSpec

tf = pytest.importorskip("tensorflow", reason="TensorFlow is not in the lock: `make check-clients` installs it")

import keras  # noqa: E402

from penstock.errors import InvalidDefinitionError  # noqa: E402
from penstock.scoring.contract import Field  # noqa: E402
from penstock.scoring.failures import ModelDoesNotLoad  # noqa: E402
from penstock.scoring.flavours.load import load  # noqa: E402

ROWS = 5000  # more than go into one call
MATRIX = np.random.default_rng(3).normal(size=(ROWS, 3)).astype("float32")
FLAVOURS = ["tensorflow", "keras"]


def saved(model: Any, folder: Path, flavour: str, signature: Any) -> str:
    more = {"signature": signature, "pip_requirements": ["tensorflow-cpu"]}
    getattr(mlflow, flavour).save_model(model, str(folder / "model"), **more)
    return str(folder / "model")


def network(outputs: int) -> Any:
    keras.utils.set_random_seed(1)
    layers = keras.layers
    # Dropout is off in inference.
    return keras.Sequential(
        [layers.Input((3,)), layers.Dense(8, activation="relu"), layers.Dropout(0.5), layers.Dense(outputs)]
    )


def lists(array: Any) -> pa.Array:
    return pa.array(array.reshape(len(array), -1).tolist(), pa.list_(pa.from_numpy_dtype(array.dtype)))


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_tensor_to_a_vector(tmp_path: Path, flavour: str) -> None:
    model = network(4)
    model.compile("adam", "mse")
    right = model.predict(MATRIX, verbose=0)
    source = saved(model, tmp_path, flavour, infer_signature(MATRIX, right))
    loaded = load(source)
    assert [(each.name, each.type) for each in loaded.description.inputs] == [("features", "ARRAY<FLOAT>")]
    assert loaded.description.fields == (Field("prediction", "ARRAY<FLOAT>"),)
    given = np.asarray(loaded.predict(pa.table({"features": lists(MATRIX)}), {})["prediction"])
    np.testing.assert_allclose(given, right, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(given, mlflow.pyfunc.load_model(source).predict(MATRIX), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_one_number(tmp_path: Path, flavour: str) -> None:
    model = network(1)
    right = model.predict(MATRIX, verbose=0)
    loaded = load(saved(model, tmp_path, flavour, infer_signature(MATRIX, right)))
    assert loaded.description.fields == (Field("prediction", "DOUBLE"),)
    assert loaded.size >= 41 * 4
    given = np.asarray(loaded.predict(pa.table({"features": lists(MATRIX)}), {})["prediction"])
    np.testing.assert_allclose(given, right[:, 0], rtol=1e-4, atol=1e-5)


def two_inputs() -> Any:
    keras.utils.set_random_seed(2)
    layers = keras.layers
    words, numbers = layers.Input((2,), name="words", dtype="int64"), layers.Input((3,), name="numbers")
    known = layers.Flatten()(layers.Embedding(10, 2)(words))
    both = layers.Concatenate()([known, numbers])
    return keras.Model(
        {"words": words, "numbers": numbers},
        {"low": layers.Dense(1, name="low")(both), "all": layers.Dense(4, name="all")(both)},
    )


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_named_tensors_and_several_outputs(tmp_path: Path, flavour: str) -> None:
    model = two_inputs()
    words = np.random.default_rng(5).integers(0, 10, size=(ROWS, 2))
    right = model.predict({"words": words, "numbers": MATRIX}, verbose=0)
    signature = mlflow.models.ModelSignature(
        Schema([TensorSpec(np.dtype("float32"), (-1, 3), "numbers"), TensorSpec(np.dtype("int64"), (-1, 2), "words")]),
        Schema([TensorSpec(np.dtype("float32"), (-1, 4), "all"), TensorSpec(np.dtype("float32"), (-1, 1), "low")]),
    )
    loaded = load(saved(model, tmp_path, flavour, signature))
    assert [(each.name, each.type) for each in loaded.description.inputs] == [
        ("numbers", "ARRAY<FLOAT>"), ("words", "ARRAY<BIGINT>")
    ]  # fmt: skip
    assert loaded.description.fields == (Field("all", "ARRAY<FLOAT>"), Field("low", "DOUBLE"))
    given = loaded.predict(pa.table({"numbers": lists(MATRIX), "words": lists(words)}), {})
    np.testing.assert_allclose(given["all"], right["all"], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(given["low"], right["low"][:, 0], rtol=1e-4, atol=1e-5)


def test_a_module(tmp_path: Path) -> None:
    class Triple(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.factor = tf.Variable(3.0)

        @tf.function(input_signature=[tf.TensorSpec((None, 3), tf.float32)])
        def __call__(self, given: Any) -> Any:
            return tf.reduce_sum(given, axis=1) * self.factor

    source = saved(Triple(), tmp_path, "tensorflow", infer_signature(MATRIX, MATRIX[:, 0]))
    loaded = load(source)
    given = loaded.predict(pa.table({"features": lists(MATRIX)}), {})["prediction"]
    np.testing.assert_allclose(given, MATRIX.sum(1) * 3, rtol=1e-4, atol=1e-5)


def test_an_exported_keras_model(tmp_path: Path) -> None:
    model = network(2)
    right = model.predict(MATRIX, verbose=0)
    mlflow.keras.save_model(
        model, str(tmp_path / "model"), save_exported_model=True, signature=infer_signature(MATRIX, right),
        pip_requirements=["tensorflow-cpu"],
    )  # fmt: skip
    given = load(str(tmp_path / "model")).predict(pa.table({"features": lists(MATRIX)}), {})["prediction"]
    np.testing.assert_allclose(np.asarray(given), right, rtol=1e-4, atol=1e-5)


def test_a_damaged_file(tmp_path: Path) -> None:
    source = saved(network(1), tmp_path, "keras", infer_signature(MATRIX, MATRIX[:, 0]))
    (file,) = Path(source).rglob("*.keras")
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(ModelDoesNotLoad, match="the model does not load"):
        load(source)


def test_no_outputs(tmp_path: Path) -> None:
    source = saved(network(1), tmp_path, "keras", infer_signature(MATRIX))
    with pytest.raises(InvalidDefinitionError, match="without a signature of its outputs"):
        load(source)
