"""Versions that require other libraries than the session's, with environments that pip makes."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from penstock.engines.spark import run
from penstock.errors import EnvironmentProblem, PenstockError, UnknownNameError
from penstock.registry import mlflow_store
from penstock.registry.alias_table import alias_of
from penstock.registry.environment import environment_for
from penstock.registry.promote import promote
from penstock.registry.sync import sync
from penstock.scoring.failures import ModelDoesNotLoad
from penstock.scoring.isolated.process import python_of

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

REQUIREMENTS = ["mlflow-skinny", "scikit-learn==1.7.2", "inflection==0.5.1"]
MAKE = f"""
import json, sys
import mlflow, numpy, pandas, sklearn
from mlflow.models import infer_signature
from sklearn.ensemble import GradientBoostingClassifier

assert sklearn.__version__ == "1.7.2"
random = numpy.random.default_rng(0)
frame = pandas.DataFrame({{"a": random.normal(size=200), "b": random.normal(size=200)}})
model = GradientBoostingClassifier(n_estimators=20).fit(frame, frame.a * frame.b > 0)
with open(sys.argv[1] + "/expected.json", "w") as file:
    json.dump([frame.values.tolist(), model.predict_proba(frame)[:, 1].tolist()], file)
signature = infer_signature(frame, model.predict(frame))
mlflow.sklearn.save_model(
    model, sys.argv[1] + "/aged", signature=signature, pip_requirements={REQUIREMENTS},
    serialization_format="cloudpickle",
)

class Plural(mlflow.pyfunc.PythonModel):
    def load_context(self, context):
        import inflection

        self.pluralize = inflection.pluralize

    def predict(self, context, model_input, params=None):
        import os, time

        print("a word on standard output")
        texts = model_input["text"].tolist()
        if "exit" in texts:
            os._exit(9)
        if "sleep" in texts:
            time.sleep(600)
        return [str(os.getpid()) if text == "process" else self.pluralize(text) for text in texts]

class Either(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        import sklearn

        return [sklearn.__version__] * len(model_input)

numbers = pandas.DataFrame({{"x": [1.0]}})
mlflow.pyfunc.save_model(
    sys.argv[1] + "/either", python_model=Either(), signature=infer_signature(numbers, ["1"]),
    pip_requirements={REQUIREMENTS},
)
words = pandas.DataFrame({{"text": ["ox"]}})
mlflow.pyfunc.save_model(
    sys.argv[1] + "/plural", python_model=Plural(), signature=infer_signature(words, ["oxen"]),
    pip_requirements={REQUIREMENTS},
)
"""


def required(folder: Path, *lines: str, python: str = "") -> Path:
    folder.mkdir()
    (folder / "requirements.txt").write_text("\n".join(lines))
    if python:
        (folder / "python_env.yaml").write_text(f"python: {python}\n")
    return folder


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That of both models, asked for by two at once."""
    asked = required(tmp_path_factory.mktemp("asked") / "model", *REQUIREMENTS)
    with ThreadPoolExecutor(2) as threads:
        one, other = threads.map(environment_for, [asked, asked])
    assert one == other
    return one


@pytest.fixture(scope="module")
def made(environment: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The models as the environment's own libraries make them."""
    folder = tmp_path_factory.mktemp("made")
    subprocess.run([python_of(environment), "-c", MAKE, folder], check=True)
    return folder


@pytest.fixture(scope="module")
def registered_models(spark: SparkSession, made: Path) -> Path:
    store = mlflow_store.client()
    for model in ("aged", "plural", "either"):
        store.create_registered_model(model)
        store.create_model_version(model, str(made / model))
    return made


def declare(spark: SparkSession, model: str, *functions: dict[str, Any]) -> None:
    sync(spark, functions, model=model, declared_by=f"model.tests.{model}", where=f"models/{model}.yml")


def test_a_model_of_another_scikit_learn_gives_what_that_gives(
    spark: SparkSession, registered_models: Path, environment: Path
) -> None:
    rows, expected = json.loads((registered_models / "expected.json").read_text())
    promote(spark, "aged", 1, expected=None, reason="first", environment="isolated")
    spark.createDataFrame(rows, "a double, b double").createOrReplaceTempView("to_score_isolated")
    table = run(spark, "SELECT a, predict('aged', a, b) AS p FROM to_score_isolated")
    given = dict(zip(table["a"].to_pylist(), table["p"].to_pylist(), strict=True))
    assert given == {a: p for (a, _), p in zip(rows, expected, strict=True)}
    [row] = spark.sql("SELECT engine, differences FROM ml.model_aliases WHERE model = 'aged'").collect()
    assert row.engine == f"isolated:{environment.as_uri()}"
    assert any(each.startswith("scikit-learn==1.7.2, here ") for each in row.differences)


def test_what_the_session_lacks_is_told_and_scored_once_it_is_declared(
    spark: SparkSession, registered_models: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "penstock"), pytest.raises(ModelDoesNotLoad) as raised:
        promote(spark, "plural", 1, expected=None, reason="first")
    told = "inflection==0.5.1, not installed here"
    for text in (caplog.text, str(raised.value)):
        assert told in text
        assert "environment: isolated" in text
    assert "version 1 of model 'plural'" in caplog.text
    assert alias_of(spark, "plural", "champion") is None
    declare(spark, "plural", {"version": 1}, {"name": "plural_safe", "version": 1, "environment": "isolated"})
    table = run(spark, "SELECT predict('plural', text) AS t FROM VALUES ('ox'), ('person') AS v (text)")
    assert table["t"].to_pylist() == ["oxen", "people"]


def test_a_process_that_dies_fails_a_query_at_most(spark: SparkSession, registered_models: Path) -> None:
    declare(spark, "plural", {"version": 1, "environment": "isolated"})
    [pid] = run(spark, "SELECT predict('plural', 'process') AS t FROM RANGE(1)")["t"].to_pylist()
    os.kill(int(pid), signal.SIGKILL)
    [other] = run(spark, "SELECT predict('plural', 'process') AS t FROM RANGE(1)")["t"].to_pylist()
    assert other != pid
    with pytest.raises(PenstockError, match="the model's process ended with exit status 9"):
        run(spark, "SELECT predict('plural', 'exit') AS t FROM RANGE(1)")
    assert run(spark, "SELECT predict('plural', 'ox') AS t FROM RANGE(1)")["t"].to_pylist() == ["oxen"]


def test_a_version_becomes_isolated_when_a_function_declares_it(
    spark: SparkSession, registered_models: Path, caplog: pytest.LogCaptureFixture
) -> None:
    here = version("scikit-learn")
    question = "SELECT predict('either', x) AS t FROM VALUES (1.0D) AS v (x)"
    promote(spark, "either", 1, expected=None, reason="first")
    assert f"scikit-learn==1.7.2, here {here}" in caplog.text
    assert run(spark, question)["t"].to_pylist() == [here]
    declare(spark, "either", {"environment": "isolated"})
    assert run(spark, question)["t"].to_pylist() == ["1.7.2"]
    mlflow_store.client().create_model_version("either", str(registered_models / "either"))
    promote(spark, "either", 2, expected=1, reason="as declared")
    held = alias_of(spark, "either", "champion")
    assert held is not None
    assert (held.version.version, held.version.isolated) == (2, True)
    with pytest.raises(UnknownNameError, match=r"unknown environment 'isolate'(.|\n)*did you mean: isolated"):
        promote(spark, "either", 1, expected=2, reason="back", environment="isolate")


def test_a_process_that_is_busy_ends_with_the_one_that_asks(made: Path, environment: Path) -> None:
    asks = """
import os, pathlib, sys, threading, time
import pyarrow as pa
from penstock.scoring.isolated.process import load_isolated

loaded = load_isolated(*map(pathlib.Path, sys.argv[1:]))
words = lambda text: pa.table({"text": [text]})
print(loaded.predict(words("process"), {})["prediction"][0], flush=True)
threading.Thread(target=loaded.predict, args=(words("sleep"), {})).start()
time.sleep(1)
os.kill(os.getpid(), 9)
"""
    done = subprocess.run(
        [sys.executable, "-c", asks, environment, made / "plural"], stdout=subprocess.PIPE, text=True, check=False
    )
    assert done.returncode == -signal.SIGKILL
    command, until = Path(f"/proc/{int(done.stdout)}/cmdline"), time.monotonic() + 20
    while command.exists() and command.read_bytes():  # empty when it waits for nothing but to be counted
        assert time.monotonic() < until, "it is still there"
        time.sleep(0.2)


def test_environments_that_cannot_be_made(tmp_path: Path) -> None:
    for lines, python, message in (
        (["penstock-has-no-such-package==1"], "", "No matching distribution found for penstock-has-no-such-package==1"),
        ([], "3.9.1", "made with Python 3.9, and is scored by 3.11 or newer"),
        ([], "3.99.1", "made with Python 3.99, which is not on this machine"),
    ):
        folder = required(tmp_path / (python or "unknown"), *lines, python=python)
        for _ in range(2):  # what was left half built is no environment
            with pytest.raises(EnvironmentProblem, match=message):
                environment_for(folder)
