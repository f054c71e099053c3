"""torch's models, scored: columns and tensors, one output and several. `make check-clients` runs it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from mlflow.models import infer_signature
from mlflow.types.schema import ParamSchema, ParamSpec, Schema, TensorSpec

torch = pytest.importorskip("torch", reason="torch is not in the lock: `make check-clients` installs it")

from penstock.errors import InvalidDefinitionError  # noqa: E402
from penstock.scoring.contract import Field, Loaded  # noqa: E402
from penstock.scoring.failures import ModelFailed  # noqa: E402
from penstock.scoring.flavours.load import load  # noqa: E402

ROWS = 5000  # more than go into one call
MATRIX = np.random.default_rng(3).normal(size=(ROWS, 3)).astype("float32")
FRAME = pd.DataFrame(MATRIX, columns=["a", "b", "c"])


def saved(model: Any, folder: Path, inputs: Any, outputs: Any, params: Any = None) -> str:
    signature = mlflow.models.ModelSignature(inputs, outputs, params)
    pickled = {"serialization_format": "pickle", "pip_requirements": ["torch"]}
    mlflow.pytorch.save_model(model, str(folder / "model"), signature=signature, **pickled)
    return str(folder / "model")


def network(outputs: int) -> Any:
    torch.manual_seed(1)
    # Dropout is off in evaluation.
    layers = [torch.nn.Linear(3, 8), torch.nn.ReLU(), torch.nn.Dropout(0.5), torch.nn.Linear(8, outputs)]
    return torch.nn.Sequential(*layers)


def expected(model: Any, *given: Any) -> Any:
    model.eval()
    with torch.no_grad():
        return model(*(torch.from_numpy(each) for each in given)).numpy()


def predicted(loaded: Loaded, table: pa.Table, field: str = "prediction") -> Any:
    return np.asarray(loaded.predict(table, {})[field])


def lists(array: Any) -> pa.Array:
    return pa.array(array.reshape(len(array), -1).tolist(), pa.list_(pa.from_numpy_dtype(array.dtype)))


def test_columns_to_one_number(tmp_path: Path) -> None:
    model = network(1)
    signature = infer_signature(FRAME, expected(model, MATRIX))
    source = saved(model, tmp_path, signature.inputs, signature.outputs)
    loaded = load(source)
    assert [(each.name, each.type) for each in loaded.description.inputs] == [(each, "FLOAT") for each in "abc"]
    assert loaded.description.fields == (Field("prediction", "DOUBLE"),)
    assert loaded.size >= 41 * 4
    given = predicted(loaded, pa.Table.from_pandas(FRAME))
    assert given.dtype == np.float64
    np.testing.assert_allclose(given, mlflow.pyfunc.load_model(source).predict(FRAME)[0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(given, expected(model, MATRIX)[:, 0], rtol=1e-5, atol=1e-6)
    assert torch.get_num_threads() == 1


def test_a_tensor_to_a_vector(tmp_path: Path) -> None:
    model = network(4)
    signature = infer_signature(MATRIX, expected(model, MATRIX))
    loaded = load(saved(model, tmp_path, signature.inputs, signature.outputs))
    assert [(each.name, each.type) for each in loaded.description.inputs] == [("features", "ARRAY<FLOAT>")]
    assert loaded.description.fields == (Field("prediction", "ARRAY<FLOAT>"),)
    given = predicted(loaded, pa.table({"features": lists(MATRIX)}))
    assert (given.dtype, given.shape) == (np.float32, (ROWS, 4))
    np.testing.assert_allclose(given, expected(model, MATRIX), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("row", "has"), [([1.0, 2.0], "has 2"), (None, "has NULL"), ([1.0] * 4, "has 4")])
def test_an_array_of_another_length(tmp_path: Path, row: Any, has: str) -> None:
    model = network(4)
    signature = infer_signature(MATRIX, expected(model, MATRIX))
    loaded = load(saved(model, tmp_path, signature.inputs, signature.outputs))
    table = pa.table({"features": pa.array([[1.0, 2.0, 3.0], row], pa.list_(pa.float32()))})
    with pytest.raises(ModelFailed, match=f"'features' takes 3 values a row, and a row {has}"):
        loaded.predict(table, {})


def test_a_picture(tmp_path: Path) -> None:
    model = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.Flatten(), torch.nn.Linear(18, 2))
    pictures = np.random.default_rng(1).normal(size=(9, 1, 5, 5)).astype("float32")
    signature = infer_signature(pictures, expected(model, pictures))
    loaded = load(saved(model, tmp_path, signature.inputs, signature.outputs))
    assert loaded.description.inputs[0].comment == "25 values: 1 × 5 × 5, the last dimension fastest"
    given = predicted(loaded, pa.table({"features": lists(pictures)}))
    np.testing.assert_allclose(given, expected(model, pictures), rtol=1e-5, atol=1e-6)


class Twice(torch.nn.Module):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.table = torch.nn.Embedding(10, 3)

    def forward(self, numbers: Any, words: Any, times: float = 1.0) -> Any:
        both = numbers * times + self.table(words).sum(1)
        return {"sum": both.sum(1), "all": both}


def test_named_tensors_parameters_and_several_outputs(tmp_path: Path) -> None:
    torch.manual_seed(2)
    model = Twice()
    words = np.random.default_rng(5).integers(0, 10, size=(ROWS, 2))
    # In another order than forward's.
    inputs = Schema(
        [TensorSpec(np.dtype("int64"), (-1, 2), "words"), TensorSpec(np.dtype("float32"), (-1, 3), "numbers")]
    )
    outputs = Schema([TensorSpec(np.dtype("float32"), (-1, 3), "all"), TensorSpec(np.dtype("float32"), (-1,), "sum")])
    params = ParamSchema([ParamSpec("times", "double", 1.0)])
    loaded = load(saved(model, tmp_path, inputs, outputs, params))
    assert [(each.name, each.type) for each in loaded.description.inputs] == [
        ("words", "ARRAY<BIGINT>"), ("numbers", "ARRAY<FLOAT>")
    ]  # fmt: skip
    assert loaded.description.fields == (Field("all", "ARRAY<FLOAT>"), Field("sum", "DOUBLE"))
    assert [(each.name, each.type, each.default) for each in loaded.description.params] == [("times", "DOUBLE", 1.0)]
    table = pa.table({"words": lists(words), "numbers": lists(MATRIX)})
    for params_of_call, times in (({}, 1.0), ({"times": 3.0}, 3.0)):
        given = loaded.predict(table, params_of_call)
        with torch.no_grad():
            right = model(torch.from_numpy(MATRIX), torch.from_numpy(words), times)
        np.testing.assert_allclose(given["all"], right["all"].numpy(), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(given["sum"], right["sum"].numpy(), rtol=1e-5, atol=1e-6)


def test_named_columns_of_outputs(tmp_path: Path) -> None:
    model = network(2)
    outputs = pd.DataFrame(expected(model, MATRIX), columns=["low", "high"])
    signature = infer_signature(FRAME, outputs)
    loaded = load(saved(model, tmp_path, signature.inputs, signature.outputs))
    assert loaded.description.fields == (Field("low", "DOUBLE"), Field("high", "DOUBLE"))
    given = predicted(loaded, pa.Table.from_pandas(FRAME), "high")
    np.testing.assert_allclose(given, outputs["high"], rtol=1e-5, atol=1e-6)


def test_an_exported_program(tmp_path: Path) -> None:
    model = network(1)
    model.eval()
    signature = infer_signature(MATRIX, expected(model, MATRIX))
    mlflow.pytorch.save_model(
        model, str(tmp_path / "model"), signature=signature, serialization_format="pt2", input_example=MATRIX[:3],
        pip_requirements=["torch"],
    )  # fmt: skip
    given = predicted(load(str(tmp_path / "model")), pa.table({"features": lists(MATRIX)}))
    np.testing.assert_allclose(given, expected(model, MATRIX)[:, 0], rtol=1e-5, atol=1e-6)


def test_a_module_that_averages_the_batch_is_refused(tmp_path: Path) -> None:
    class Mean(torch.nn.Module):  # type: ignore[misc]
        def forward(self, given: Any) -> Any:
            return given.mean(0)

    source = saved(Mean(), tmp_path, *infer_pair(MATRIX, MATRIX[:, 0]))
    with pytest.raises(ModelFailed, match="gives 3 values of prediction for 10 rows"):
        load(source).predict(pa.table({"features": lists(MATRIX[:10])}), {})


def infer_pair(inputs: Any, outputs: Any) -> tuple[Any, Any]:
    signature = infer_signature(inputs, outputs)
    return signature.inputs, signature.outputs


def test_text_is_refused(tmp_path: Path) -> None:
    source = saved(network(1), tmp_path, *infer_pair(FRAME.assign(b="x"), MATRIX[:, 0]))
    with pytest.raises(InvalidDefinitionError, match="a network takes columns of numbers"):
        load(source)


def test_tensors_that_forward_does_not_take(tmp_path: Path) -> None:
    specs = [TensorSpec(np.dtype("float32"), (-1, 3), name) for name in ("numbers", "letters")]
    source = saved(Twice(), tmp_path, Schema(specs), Schema([TensorSpec(np.dtype("float32"), (-1, 3))]))
    with pytest.raises(InvalidDefinitionError, match=r"letters, which forward\(numbers, words, times\)"):
        load(source)
