"""JDBC sessions that stay open meet the new champion: of a linear model in SQL, and of a tree from the workers."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pyspark
import pytest

from penstock.servers.client import Client
from penstock.servers.client import Server as Address

if TYPE_CHECKING:
    from collections.abc import Iterator

    from places import Server

# Version n of each model gives n times `a`: the linear one as SQL, the tree from the workers.
REGISTERED = """
import mlflow, pandas as pd
from mlflow.models import infer_signature
from sklearn.linear_model import LinearRegression
from sklearn.tree import DecisionTreeRegressor
from penstock.registry import mlflow_store
from penstock.registry.promote import promote

frame = pd.DataFrame({"a": [1.0, 2.0, 4.0, 8.0]})
store = mlflow_store.client()
for model, kind in (("line", LinearRegression), ("tree", DecisionTreeRegressor)):
    store.create_registered_model(model)
    for version in (1, 2):
        native = kind().fit(frame, version * frame.a)
        with mlflow.start_run(experiment_id=mlflow_store.open_experiment(model)):
            logged = mlflow.sklearn.log_model(
                native, name="model", signature=infer_signature(frame, native.predict(frame)),
                serialization_format="cloudpickle", pip_requirements=["mlflow"],
            )
        store.create_model_version(model, logged.model_uri)
    promote(spark, model, 1, expected=None, reason="first")
spark.createDataFrame(frame).write.format("delta").saveAsTable("default.moved")
"""
MOVED = """
from penstock.registry.promote import promote
for model in ("line", "tree"):
    promote(spark, model, 2, expected=1, reason="better")
"""
ASKED = (
    "SELECT sum(ml.line(a)), sum(predict('line', a)), sum(ml.tree(a)), sum(predict('tree', t.*))"
    " FROM default.moved AS t"
)


class Beeline:
    """Hive's JDBC client, with one connection that stays open."""

    def __init__(self, port: int) -> None:
        command = [str(Path(pyspark.__file__).parent / "bin" / "beeline"), "-u", f"jdbc:hive2://127.0.0.1:{port}"]
        self._process = subprocess.Popen(
            [*command, "--outputformat=csv2", "--showHeader=false", "--silent=true"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def ask(self, statement: str) -> list[float]:
        """The one row of a statement of numbers."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(f"{statement};\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            values = line.strip().split(",")
            if all(each.replace(".", "", 1).isdigit() for each in values):
                return [float(each) for each in values]
        raise AssertionError("beeline ended")

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(60)


@pytest.fixture
def beeline(server: Server) -> Iterator[Beeline]:
    client = Beeline(server.port)
    yield client
    client.close()


def test_the_next_query_uses_the_new_champion(
    server: Server, beeline: Beeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENSTOCK_HOME", server.place.environment["PENSTOCK_HOME"])
    registrar = Client(Address("127.0.0.1", server.port))

    def run(code: str) -> None:
        registrar.run_python_model(code, name="moved", file="moved.py", settings={})

    def ask() -> list[float]:
        session.execute(ASKED)
        return list(session.fetchall()[0])

    run(REGISTERED)
    session = server.session()
    assert ask() == pytest.approx([15.0] * 4)
    assert beeline.ask(ASKED) == pytest.approx([15.0] * 4)
    run(MOVED)
    assert ask() == pytest.approx([30.0] * 4)
    assert beeline.ask(ASKED) == pytest.approx([30.0] * 4)
    session.execute("EXPLAIN SELECT ml.line(a) FROM default.moved")
    assert "EvalPython" not in str(session.fetchall()), "the linear model is no SQL"
