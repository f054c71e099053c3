"""A version in a process of its own: what it gives, fails with and prints, and how the process ends.

The environment is a real one, that has this session's libraries and a module which the session lacks.
"""

from __future__ import annotations

import os
import site
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlflow.models import ModelSignature
from mlflow.types.schema import ColSpec, ParamSchema, ParamSpec, Schema

from penstock.errors import PenstockError, UnknownNameError
from penstock.scoring.contract import Description, Loaded
from penstock.scoring.dispatchers import load_live
from penstock.scoring.failures import ModelDoesNotLoad, ModelEnded, ModelFailed
from penstock.scoring.flavours.load import load
from penstock.scoring.isolated import wire
from penstock.scoring.isolated.process import engine_of_environment, environment_of_engine, load_isolated
from penstock.scoring.live import Live, digest_of
from penstock.scoring.memory import Models

PRINTS, RAISES, TOO_MANY, EXITS, PROCESS = -1.0, -2.0, -3.0, -4.0, -5.0


def save_model(folder: Path) -> Path:
    """Factor times scale times `x`, by a model that does other things for some numbers."""

    class Moody(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
        def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> Any:
            import lacking

            x = model_input["x"].to_numpy()
            if PRINTS in x:
                print("not for the pipe")
                sys.stdout.flush()
                os.write(1, b"\xff\xff\xff\xff nor this\n" * 100_000)
            if RAISES in x:
                raise ValueError("no -2, please")
            if EXITS in x:
                os._exit(7)
            if PROCESS in x:
                return np.full(len(x), float(os.getpid()))
            both = lacking.FACTOR * (params or {})["scale"] * x
            return np.append(both, both) if TOO_MANY in x else both

    params = ParamSchema([ParamSpec("scale", "double", 1.0)])
    signature = ModelSignature(Schema([ColSpec("double", "x", required=False)]), Schema([ColSpec("double")]), params)
    mlflow.pyfunc.save_model(
        str(folder), python_model=Moody(), signature=signature, pip_requirements=["mlflow", "lacking==1"]
    )
    return folder


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("with | and ü") / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    [packages] = folder.glob("lib/python*/site-packages")
    (packages / "session.pth").write_text("\n".join(site.getsitepackages()))
    (packages / "lacking.py").write_text("FACTOR = 10.0\n")
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("moody") / "model")


@pytest.fixture(scope="module")
def isolated(environment: Path, model: Path) -> Loaded:
    return load_isolated(environment, model)


def rows(*x: float | None) -> pa.Table:
    return pa.table({"x": pa.array(x, pa.float64())})


def test_it_gives_and_fails_as_in_the_session(
    isolated: Loaded, environment: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ModelFailed, match="No module named 'lacking'"):
        load(str(model)).predict(rows(1.0), {})
    monkeypatch.syspath_prepend(str(environment / next(environment.glob("lib/python*/site-packages"))))
    here = load(str(model))
    assert isolated.description == here.description
    for table, params in ((rows(1.0, None, 3.5), {}), (rows(2.0), {"scale": 3.0}), (rows(), {})):
        given, expected = (each.predict(table, params)["prediction"] for each in (isolated, here))
        np.testing.assert_array_equal(given, expected)
    for table, params, kind in (
        (rows(RAISES), {}, ModelFailed),
        (rows(TOO_MANY), {}, ModelFailed),
        (rows(1.0), {"skale": 1.0}, UnknownNameError),
    ):
        said = []
        for each in (isolated, here):
            with pytest.raises(kind) as raised:
                each.predict(table, params)
            assert type(raised.value) is kind
            said.append(str(raised.value))
        assert said[0] == said[1]
    assert not isolated.ended()


def test_probabilities_and_contributions_are_those_of_the_session(environment: Path, tmp_path: Path) -> None:
    import lightgbm
    from mlflow.models import infer_signature

    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 2)), columns=["a", "b"])
    native = lightgbm.LGBMClassifier(n_estimators=3, min_child_samples=5, verbose=-1, n_jobs=1).fit(frame, frame.a > 0)
    signature = infer_signature(frame, native.predict(frame))
    mlflow.lightgbm.save_model(native, str(tmp_path / "m"), signature=signature, pip_requirements=["mlflow"])
    isolated, here = load_isolated(environment, tmp_path / "m"), load(str(tmp_path / "m"))
    assert isolated.description == here.description
    table = pa.Table.from_pandas(frame)
    given, expected = (each.predict(table, {}) for each in (isolated, here))
    assert given.keys() == expected.keys()
    for name in given:
        np.testing.assert_array_equal(given[name], expected[name])
    assert isolated.contributions is not None
    assert here.contributions is not None
    for one, other in zip(isolated.contributions(table), here.contributions(table), strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_a_model_prints_is_no_answer(isolated: Loaded) -> None:
    assert isolated.predict(rows(PRINTS, 1.0), {})["prediction"].tolist() == [-10.0, 10.0]


def test_a_process_that_ends_is_told_and_the_next_query_has_another(environment: Path, model: Path) -> None:
    live = Live("champion", 1, engine_of_environment(environment), digest_of(model), model.as_uri())
    assert Live.parse(str(live)) == live, "a folder with a bar"
    assert environment_of_engine(live.engine) == environment
    other = Live("challenger", 2, "library", "", "")
    large = Loaded(Description((), ()), lambda table, params: {}, 1 << 30)
    held = Models(lambda asked: large if asked == other else load_live(asked), lambda: 1 << 30)
    first = held.get(live)
    [pid] = first.predict(rows(PROCESS), {})["prediction"]
    with pytest.raises(ModelEnded, match=r"process ended with exit status 7\n(.|\n)*the log of the worker"):
        first.predict(rows(EXITS), {})
    with pytest.raises(ModelEnded):
        first.predict(rows(1.0), {})
    second = held.get(live)
    [another] = second.predict(rows(PROCESS), {})["prediction"]
    assert another != pid
    assert held.get(live) is second
    assert second.size > 20 << 20, "the memory of the process counts"
    del second
    held.get(other)  # leaves no room for it
    with pytest.raises(ProcessLookupError):
        os.kill(int(another), 0)


def test_a_process_that_is_not_ready_in_time(environment: Path, model: Path) -> None:
    before = time.monotonic()
    with pytest.raises(ModelDoesNotLoad, match="the model does not load: its process was not ready in time"):
        load_isolated(environment, model, within=0.1)
    assert time.monotonic() - before < 10


def test_what_says_nothing_or_anything(tmp_path: Path, model: Path) -> None:
    with pytest.raises(ModelDoesNotLoad, match="environment that it was registered with is not there"):
        load_isolated(tmp_path / "gone", model)
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    for script, message in (
        ("exit 3", "its process ended with exit status 3"),
        ("kill -9 $$", "its process ended by SIGKILL"),
        ("eval 'echo garbage over garbage' '>&'$7; exec sleep 60", "its process says what is no answer"),
    ):
        python.write_text(f"#!/bin/bash\n{script}\n")
        python.chmod(0o755)
        with pytest.raises(ModelDoesNotLoad, match=message):
            load_isolated(tmp_path, model)


values = st.one_of(
    st.lists(st.floats(), max_size=5).map(lambda v: np.array(v, "float64")),
    st.lists(st.floats(width=32), max_size=5).map(lambda v: np.array(v, "float32")),
    st.lists(st.integers(-(2**63), 2**63 - 1), max_size=5).map(lambda v: np.array(v, "int64")),
    st.lists(st.integers(0, 9), max_size=3).map(lambda v: pa.array([*v, None], pa.int32())),
    st.lists(st.booleans(), max_size=5).map(lambda v: np.array(v, bool)),
    st.tuples(st.integers(0, 4), st.integers(1, 3)).map(np.ones),
    st.lists(st.none() | st.text(max_size=3), max_size=5).map(lambda v: pa.array(v, pa.string())),
    st.lists(st.none() | st.lists(st.integers(0, 9)), max_size=3).map(lambda v: pa.array(v, pa.list_(pa.int32()))),
    st.lists(st.none() | st.datetimes(), max_size=3).map(lambda v: pa.array(v, pa.timestamp("us", "UTC"))),
)  # fmt: skip


@settings(max_examples=60)
@given(values)
def test_columns_travel_unchanged(tmp_path_factory: pytest.TempPathFactory, column: Any) -> None:
    file = tmp_path_factory.getbasetemp() / "message"
    with file.open("wb") as pipe:
        wire.send(pipe, {"words": "ü"}, wire.as_table({"c": column}))
        wire.send(pipe, {})
    with file.open("rb") as pipe:
        words, table = wire.receive(pipe)
        assert wire.receive(pipe)[0] == {}
        assert not pipe.read()
    [given] = wire.as_columns(table).values()
    assert words == {"words": "ü"}
    assert type(given) is type(column)
    if isinstance(column, np.ndarray):
        assert (given.dtype, given.shape) == (column.dtype, column.shape)
        np.testing.assert_array_equal(given, column)
    else:
        assert given.equals(column)


def test_params_travel_unchanged() -> None:
    import datetime as dt

    params = {"a": 1.5, "b": None, "c": "ü", "d": [1, 2], "e": dt.datetime(2026, 1, 2), "f": True, "g": b"\0"}
    assert wire.params_from_table(wire.params_as_table(params)) == params
    assert wire.params_from_table(wire.params_as_table({})) == {}


@pytest.mark.parametrize("kind", [ModelFailed, ModelDoesNotLoad, UnknownNameError])
def test_errors_travel_unchanged(kind: type[PenstockError]) -> None:
    error = kind("what", where="there", near=["a", "b"], fix="so")
    again = wire.error_from_words(wire.error_as_words(error))
    assert type(again) is kind
    assert str(again) == str(error)
