"""Models of a project's own code: what they are given, and what they may give back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from mlflow.models import ModelSignature, infer_signature
from mlflow.types import DataType
from mlflow.types.schema import Array, ColSpec, Map, Object, ParamSchema, ParamSpec, Property, Schema, TensorSpec

from penstock.errors import InvalidDefinitionError, UnknownNameError
from penstock.scoring.contract import Field, Loaded
from penstock.scoring.flavours.load import load

NUMBERS = pa.table({"x": [1.0, 2.0, 3.0], "y": [10.0, 20.0, None]})
PAIR = Schema([ColSpec("double", "x"), ColSpec("double", "y", required=False)])

Make = Callable[..., Loaded]


class Plain(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    """A model of one function, which travels with it."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]  # MLflow reads hints
        return self.function(model_input, params)


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Log a function as a model, and load it."""

    def made(function: Any, outputs: Any, inputs: Schema = PAIR, params: Any = None, **more: Any) -> Loaded:
        model = Plain(function) if not isinstance(function, mlflow.pyfunc.PythonModel) else function
        signature = ModelSignature(inputs, outputs if isinstance(outputs, Schema) else Schema(outputs), params)
        more = {"signature": signature, "pip_requirements": ["mlflow"], **more}
        mlflow.pyfunc.save_model(str(tmp_path / "model"), python_model=model, **more)
        return load(str(tmp_path / "model"))

    return made


def one(kind: Any) -> list[ColSpec]:
    return [ColSpec(kind)]


def python(column: Any) -> list[Any]:
    return column.to_pylist() if isinstance(column, (pa.Array, pa.ChunkedArray)) else column.tolist()


@pytest.mark.parametrize(
    "function",
    [
        lambda frame, _: frame["x"] + frame["y"],
        lambda frame, _: (frame["x"] + frame["y"]).to_numpy(),
        lambda frame, _: (frame["x"] + frame["y"]).to_frame("anything"),
        lambda frame, _: (frame["x"] + frame["y"]).to_numpy().reshape(-1, 1),
        lambda frame, _: (frame["x"] + frame["y"]).tolist(),
        lambda frame, _: [11.0, 22.0, None],
        lambda frame, _: {"sum": (frame["x"] + frame["y"]).tolist()},
        lambda frame, _: (frame["x"] + frame["y"]).astype("Float64"),
        lambda frame, _: pa.array([11.0, 22.0, None]),
        lambda frame, _: np.array([11, 22, np.nan], dtype="float32"),
    ],
)
def test_one_number(make: Make, function: Any) -> None:
    loaded = make(function, one("double"))
    assert loaded.description.fields == (Field("prediction", "DOUBLE"),)
    np.testing.assert_array_equal(loaded.predict(NUMBERS, {})["prediction"], [11, 22, np.nan])


def test_a_single_number_is_double_whatever_its_width(make: Make) -> None:
    loaded = make(lambda frame, _: frame["x"].astype("float32"), one("float"))
    assert loaded.description.fields == (Field("prediction", "DOUBLE"),)
    assert loaded.predict(NUMBERS, {})["prediction"].dtype == np.float64


@pytest.mark.parametrize(
    "function",
    [
        lambda frame, _: pd.DataFrame({"b": ["p", "q", None], "a": [1, 2, 3]}),
        lambda frame, _: {"a": [1, 2, 3], "b": ["p", "q", None]},
        lambda frame, _: [{"a": 1, "b": "p"}, {"a": 2, "b": "q"}, {"a": 3, "b": None}],
        lambda frame, _: (np.array([1, 2, 3]), ["p", "q", None]),
        lambda frame, _: np.array([[1, "p"], [2, "q"], [3, None]], dtype=object),
    ],
)
def test_several_outputs(make: Make, function: Any) -> None:
    loaded = make(function, [ColSpec("long", "a"), ColSpec("string", "b")])
    assert loaded.description.fields == (Field("a", "BIGINT"), Field("b", "STRING"))
    given = loaded.predict(NUMBERS, {})
    assert {name: python(column) for name, column in given.items()} == {"a": [1, 2, 3], "b": ["p", "q", None]}


@pytest.mark.parametrize(
    "function",
    [
        lambda frame, _: [[1.0, 2.0]] * 3,
        lambda frame, _: np.tile(np.array([1.0, 2.0], dtype="float32"), (3, 1)),
        lambda frame, _: pd.Series([np.array([1.0, 2.0])] * 3),
        lambda frame, _: pd.DataFrame({0: [1.0] * 3, 1: [2.0] * 3}),
    ],
)
def test_a_vector(make: Make, function: Any) -> None:
    loaded = make(function, one(Array("float")))
    assert loaded.description.fields == (Field("prediction", "ARRAY<FLOAT>"),)
    given = loaded.predict(NUMBERS, {})["prediction"]
    assert python(given) == [[1.0, 2.0]] * 3
    assert given.type == pa.list_(pa.float32()) if isinstance(given, pa.Array) else given.dtype == np.float32


def test_text_to_a_vector(make: Make) -> None:
    loaded = make(
        lambda frame, _: [[float(len(text or "")), 1.0] for text in frame["text"]],
        one(Array("float")),
        Schema([ColSpec("string", "text", required=False)]),
    )
    table = pa.table({"text": ["abc", "", None]})
    assert python(loaded.predict(table, {})["prediction"]) == [[3.0, 1.0], [0.0, 1.0], [0.0, 1.0]]


@pytest.mark.parametrize(
    ("kind", "function", "expected"),
    [
        ("string", lambda frame, _: ["a", None, "c"], ["a", None, "c"]),
        ("string", lambda frame, _: pd.Categorical(["a", None, "c"]), ["a", None, "c"]),
        ("string", lambda frame, _: np.array(["a", "b", "c"]), ["a", "b", "c"]),
        ("boolean", lambda frame, _: frame["x"] > 1, [False, True, True]),
        ("boolean", lambda frame, _: [True, None, False], [True, None, False]),
        ("binary", lambda frame, _: [b"a", None, b""], [b"a", None, b""]),
        ("long", lambda frame, _: [1.0, np.nan, 3.0], [1, None, 3]),
        ("long", lambda frame, _: np.array([1, 2, 3], dtype="uint8"), [1, 2, 3]),
        ("integer", lambda frame, _: pd.array([1, None, 3], dtype="Int64"), [1, None, 3]),
        (
            "datetime",
            lambda frame, _: pd.Series(pd.to_datetime(["2026-01-02 03:04:05.000006", None, None])),
            [datetime(2026, 1, 2, 3, 4, 5, 6, UTC), None, None],
        ),
        (
            Object([Property("a", DataType.long), Property("b", Array("string"), required=False)]),
            lambda frame, _: pd.Series([{"a": 1, "b": ["x"]}, {"a": 2, "b": None}, None]),
            [{"a": 1, "b": ["x"]}, {"a": 2, "b": None}, None],
        ),
        (Map(DataType.long), lambda frame, _: [{"a": 1}, {"b": 2, "c": 3}, {}], [[("a", 1)], [("b", 2), ("c", 3)], []]),
        (Array("string"), lambda frame, _: np.array([["a", None]] * 3, dtype=object), [["a", None]] * 3),
        (Array("long"), lambda frame, _: np.array([[1, 2], [3, 4], [5, 6]]), [[1, 2], [3, 4], [5, 6]]),
    ],
)
def test_other_types(make: Make, kind: Any, function: Any, expected: list[Any]) -> None:
    assert python(make(function, one(kind)).predict(NUMBERS, {})["prediction"]) == expected


def test_params_and_their_defaults(make: Make) -> None:
    params = ParamSchema([ParamSpec("factor", "double", 2.0), ParamSpec("words", "string", ["a"], (-1,))])
    loaded = make(
        lambda frame, params: frame["x"] * params["factor"] + len(params["words"]), one("double"), params=params
    )
    assert [(each.name, each.type, each.default) for each in loaded.description.params] == [
        ("factor", "DOUBLE", 2.0), ("words", "ARRAY<STRING>", ["a"])
    ]  # fmt: skip
    assert python(loaded.predict(NUMBERS, {})["prediction"]) == [3, 5, 7]
    assert python(loaded.predict(NUMBERS, {"factor": 10.0})["prediction"]) == [11, 21, 31]
    with pytest.raises(UnknownNameError, match=r"unknown parameter 'facter'(.|\n)*did you mean: factor"):
        loaded.predict(NUMBERS, {"facter": 10.0})


def test_code_that_travels_with_the_model(make: Make, tmp_path: Path) -> None:
    (tmp_path / "helper_of_a_model.py").write_text("def double(x):\n    return x * 2\n")

    def function(frame: Any, _: Any) -> Any:
        from helper_of_a_model import double  # type: ignore[import-not-found]

        return double(frame["x"])

    loaded = make(function, one("double"), code_paths=[str(tmp_path / "helper_of_a_model.py")])
    (tmp_path / "helper_of_a_model.py").unlink()
    assert python(loaded.predict(NUMBERS, {})["prediction"]) == [2, 4, 6]


class WithArtefact(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    def load_context(self, context: Any) -> None:
        self.offset = float(Path(context.artifacts["offset"]).read_text())

    def predict(self, context, model_input):  # type: ignore[no-untyped-def]
        return model_input["x"] + self.offset + context.model_config["more"]


def test_artefacts_and_configuration(make: Make, tmp_path: Path) -> None:
    (tmp_path / "offset.txt").write_text("100")
    more = {"artifacts": {"offset": str(tmp_path / "offset.txt")}, "model_config": {"more": 1000}}
    loaded = make(WithArtefact(), one("double"), **more)
    assert python(loaded.predict(NUMBERS, {})["prediction"]) == [1101, 1102, 1103]


class OfTexts(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    def predict(self, model_input: list[str]) -> list[str]:
        return [text.upper() for text in model_input]


def test_a_model_with_type_hints(tmp_path: Path) -> None:
    mlflow.pyfunc.save_model(str(tmp_path / "m"), python_model=OfTexts(), pip_requirements=["mlflow"])
    loaded = load(str(tmp_path / "m"))
    (given,) = loaded.description.inputs
    assert given.type == "STRING"
    assert python(loaded.predict(pa.table({given.name: ["a", "b"]}), {})["prediction"]) == ["A", "B"]


def test_a_tensor(make: Make) -> None:
    def function(array: Any, _: Any) -> Any:
        assert (type(array), array.dtype, array.shape) == (np.ndarray, np.float32, (3, 2, 2))
        return array.sum(axis=(1, 2))

    tensor = Schema([TensorSpec(np.dtype("float32"), (-1, 2, 2))])
    loaded = make(function, Schema([TensorSpec(np.dtype("float32"), (-1,))]), tensor)
    table = pa.table({"features": pa.array([[1.0, 2, 3, 4]] * 3, pa.list_(pa.float32()))})
    assert python(loaded.predict(table, {})["prediction"]) == [10, 10, 10]


def test_what_a_model_is_given_is_what_mlflow_gives(make: Make, tmp_path: Path) -> None:
    """The rule of `columns`, held against MLflow's own enforcement of the same values."""
    frame = pd.DataFrame(
        {
            "flag": [True, False, True],
            "flag_or_null": [True, None, False],
            "small": np.array([1, 2, 3], dtype="int32"),
            "large": np.array([1, 2, 2**60 + 1]),
            "single": np.array([1.5, np.nan, 0.1], dtype="float32"),
            "double": [1.5, np.nan, 0.1],
            "text": ["a", None, ""],
            "bytes": [b"a", b"", b"\xff"],
            "moment": pd.to_datetime(["2026-01-02 03:04:05.000006", None, "1969-12-31 23:59:59.5"]),
            "vector": [np.array([1.5, 2.5]), np.array([]), np.array([0.1])],
        }
    )
    kinds = {
        "flag": "boolean", "flag_or_null": "boolean", "small": "integer", "large": "long", "single": "float",
        "double": "double", "text": "string", "bytes": "binary", "moment": "datetime", "vector": Array("double"),
    }  # fmt: skip
    inputs = Schema([ColSpec(kind, name) for name, kind in kinds.items()])
    loaded = make(
        lambda given, _: [repr(given.dtypes.to_dict()) + repr(given.to_dict("list"))] * 3, one("string"), inputs
    )
    here = python(loaded.predict(pa.Table.from_pandas(frame, preserve_index=False), {})["prediction"])
    there = mlflow.pyfunc.load_model(str(tmp_path / "model")).predict(frame)
    assert here == there


def test_whole_numbers_with_nulls_are_floats(make: Make) -> None:
    inputs = Schema([ColSpec("long", "n", required=False)])
    loaded = make(lambda given, _: [f"{given['n'].dtype} {value}" for value in given["n"]], one("string"), inputs)
    assert python(loaded.predict(pa.table({"n": [1, None]}), {})["prediction"]) == ["float64 1.0", "float64 nan"]
    assert python(loaded.predict(pa.table({"n": [2**60 + 1]}), {})["prediction"]) == [f"int64 {2**60 + 1}"]


def test_timestamps_are_the_wall_clock_of_their_zone(make: Make) -> None:
    inputs = Schema([ColSpec("datetime", "at")])
    loaded = make(lambda given, _: [f"{given['at'].dtype} {value}" for value in given["at"]], one("string"), inputs)
    for zone, hour in (("UTC", "12"), ("Europe/Berlin", "14"), (None, "12")):
        table = pa.table({"at": pa.array([datetime(2026, 7, 1, 12)], pa.timestamp("us", zone))})
        assert python(loaded.predict(table, {})["prediction"]) == [f"datetime64[ns] 2026-07-01 {hour}:00:00"]


def test_objects_and_maps(make: Make) -> None:
    inputs = Schema(
        [
            ColSpec(Object([Property("a b", DataType.long), Property("c", Array("double"))]), "thing"),
            ColSpec(Map(DataType.double), "map"),
        ]
    )
    loaded = make(lambda given, _: [t["a b"] + m["k"] for t, m in zip(given["thing"], given["map"], strict=True)],
                  one("double"), inputs)  # fmt: skip
    assert [each.type for each in loaded.description.inputs] == [
        "STRUCT<`a b`: BIGINT, `c`: ARRAY<DOUBLE>>", "MAP<STRING, DOUBLE>"
    ]  # fmt: skip
    table = pa.table(
        {
            "thing": pa.array([{"a b": 1, "c": [1.0]}]),
            "map": pa.array([[("k", 2.5)]], pa.map_(pa.string(), pa.float64())),
        }
    )
    assert python(loaded.predict(table, {})["prediction"]) == [3.5]


def test_signature_of_inputs_only_is_told_apart(tmp_path: Path) -> None:
    more = {"signature": infer_signature(NUMBERS.to_pandas()), "pip_requirements": ["mlflow"]}
    mlflow.pyfunc.save_model(str(tmp_path / "m"), python_model=Plain(lambda frame, _: frame["x"]), **more)
    with pytest.raises(InvalidDefinitionError, match="without a signature of its outputs"):
        load(str(tmp_path / "m"))
